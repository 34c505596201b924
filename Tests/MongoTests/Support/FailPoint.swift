import BSON
import Mongo

/// Makes the server fail commands on purpose; only for connections of one application name, so that other clients see nothing.
enum FailPoint {
  /// - Parameters:
  ///   - mode: `["times": n]` or `"alwaysOn"`.
  ///   - data: what `failCommand` is to do, such as `["closeConnection": true]`.
  static func withFailure<T>(
    of commands: [String], for application: String, mode: BSONValue, data: BSONDocument, on client: MongoClient,
    _ body: () async throws -> T
  ) async throws -> T {
    var full = data
    full.append("failCommands", array: commands.map(BSONValue.string))
    full.append("appName", application)
    try await set(mode, full, client)
    do {
      let result = try await body()
      try await set("off", [:], client)
      return result
    } catch {
      try await set("off", [:], client)
      throw error
    }
  }

  private static func set(_ mode: BSONValue, _ data: BSONDocument, _ client: MongoClient) async throws {
    let command: BSONDocument = ["configureFailPoint": "failCommand", "mode": mode, "data": .document(data)]
    try await client.withConnection { _ = try $0.command(command, database: "admin") }
  }
}
