import BSON
import Foundation
import Mongo
import Synchronization
import Testing

/// All tests that talk to a server, one after another: several of them measure this process's memory or the server's cursors.
@Suite(.serialized) struct ServerTests {}

/// The server and the client that the tests share; both live as long as the process.
enum Fixture {
  private static let server = Task { () -> String in
    if let uri = ProcessInfo.processInfo.environment["MONGODB_URI"], !uri.isEmpty { return uri }
    let mongod = try await MongodProcess.start()
    own.withLock { $0 = mongod }
    return mongod.uri
  }

  /// Keeps the started server, and with it the pipe that keeps it alive.
  private static let own = Mutex<MongodProcess?>(nil)

  private static let shared = Task { try await client() }

  static func uri() async throws -> String { try await server.value }

  /// A client of its own for a test that closes it or needs other settings; the test closes it.
  static func client(
    poolSize: Int = 8, waitQueueTimeoutMS: Int = 10_000, waitQueueLimit: Int = 10_000, application: String = "tests"
  ) async throws -> MongoClient {
    var configuration = MongoClient.Configuration(uri: try await uri(), database: "minicrm_tests")
    configuration.poolSize = poolSize
    configuration.waitQueueTimeoutMS = waitQueueTimeoutMS
    configuration.waitQueueLimit = waitQueueLimit
    configuration.applicationName = application
    return try MongoClient(configuration)
  }

  /// The shared client, and the name of a collection that no other test uses.
  static func collection() async throws -> (client: MongoClient, name: String) {
    (try await shared.value, "t_\(ObjectID().hex)")
  }

  /// Runs `body` with a client of its own, and closes it on every path.
  static func withClient<T>(
    poolSize: Int = 8, waitQueueTimeoutMS: Int = 10_000, waitQueueLimit: Int = 10_000, application: String = "tests",
    _ body: (MongoClient) async throws -> T
  ) async throws -> T {
    let client = try await client(
      poolSize: poolSize, waitQueueTimeoutMS: waitQueueTimeoutMS, waitQueueLimit: waitQueueLimit,
      application: application)
    do {
      let result = try await body(client)
      await client.close()
      return result
    } catch {
      await client.close()
      throw error
    }
  }
}
