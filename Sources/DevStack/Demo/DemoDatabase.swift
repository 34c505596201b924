import BSON
import Mongo

/// The little a demo does with MongoDB directly, on a server that is not its own.
struct DemoDatabase: Sendable {
  let uri: String
  let name: String

  func leadCount() async throws -> Int {
    try await withClient { try $0.count("leads", BSONDocument()) }
  }

  func drop() async throws {
    try await withClient { _ = try $0.command(["dropDatabase": 1]) }
  }

  private func withClient<T: Sendable>(_ body: @escaping @Sendable (MongoConnection) throws -> T) async throws -> T {
    let client = try MongoClient(MongoClient.Configuration(uri: uri, database: name))
    do {
      let result = try await client.withConnection(body)
      await client.close()
      return result
    } catch {
      await client.close()
      throw error
    }
  }
}
