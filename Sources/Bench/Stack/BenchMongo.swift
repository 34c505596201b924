import BSON
import Foundation
import Mongo
import Runtime

/// A MongoDB alone: the server that `MONGODB_URI` names, with a database made up for this run, else a one-member replica
/// set of our own on empty files.
struct BenchMongo: Sendable {
  let client: MongoClient
  /// `started here` or where it is.
  let description: String
  /// Where the server was started here.
  var process: MeasuredProcess? { server?.measured(as: "mongod") }
  private let server: Child?
  private let directory: URL?

  /// Runs `body` and takes away what was started, however it ends.
  static func with<Result: Sendable>(
    environment: [String: String], console: Console, _ body: (BenchMongo) async throws -> Result
  ) async throws -> Result {
    let mongo = try await start(environment, console)
    do {
      let result = try await body(mongo)
      await mongo.stop(console)
      return result
    } catch {
      await mongo.stop(console)
      throw error
    }
  }

  private static func start(_ environment: [String: String], _ console: Console) async throws -> BenchMongo {
    let database = "mini_crm_bench_" + UUID().uuidString.prefix(8).lowercased()
    if let uri = environment["MONGODB_URI"], !uri.isEmpty {
      return BenchMongo(
        client: try client(uri, database), description: "MONGODB_URI", server: nil, directory: nil)
    }
    let root = environment["STACK_DIR"].flatMap { $0.isEmpty ? nil : $0 } ?? ".stack"
    let directory = URL(fileURLWithPath: root).standardizedFileURL.absoluteURL.appending(
      path: "bench-\(database.suffix(8))")
    try FileManager.default.createDirectory(at: directory.appending(path: "data"), withIntermediateDirectories: true)
    guard let port = TCPPorts.anyFree() else { throw BenchError("no free port") }
    console.progress("starting a MongoDB in \(directory.path)")
    let server = try Child(
      environment["MINICRM_MONGOD"].flatMap { $0.isEmpty ? nil : $0 } ?? "mongod",
      [
        "--replSet", "rs0", "--dbpath", directory.appending(path: "data").path, "--bind_ip", "127.0.0.1", "--port",
        "\(port)", "--nounixsocket", "--wiredTigerCacheSizeGB", environment["MONGOD_CACHE_GB"] ?? "1",
        "--setParameter", "diagnosticDataCollectionEnabled=false",
      ], output: directory.appending(path: "mongod.log"))
    do {
      try await initiate(port)
      return BenchMongo(
        client: try client("mongodb://127.0.0.1:\(port)/?replicaSet=rs0", database), description: "started here",
        server: server, directory: directory)
    } catch {
      server.signal(SIGKILL)
      _ = await server.ended()
      throw BenchError("mongod did not start: \(error); see \(directory.path)/mongod.log")
    }
  }

  private static func client(_ uri: String, _ database: String) throws -> MongoClient {
    var configuration = MongoClient.Configuration(uri: uri, database: database)
    configuration.poolSize = 4
    configuration.applicationName = "minicrm-bench"
    return try MongoClient(configuration)
  }

  private static func initiate(_ port: Int) async throws {
    let address = "127.0.0.1:\(port)"
    let client = try client("mongodb://\(address)/?directConnection=true", "admin")
    let deadline = ContinuousClock.now + .seconds(60)
    let config: BSONDocument = ["_id": "rs0", "members": [["_id": 0, "host": .string(address)]]]
    var isPrimary = false
    var last: (any Error)?
    while !isPrimary, ContinuousClock.now < deadline {
      do {
        isPrimary = try await client.withConnection { connection in
          let hello = try connection.command(["hello": 1], database: "admin")
          if hello["setName"] == nil {
            _ = try connection.command(["replSetInitiate": .document(config)], database: "admin")
          }
          return hello["isWritablePrimary"]?.boolValue == true
        }
      } catch {
        last = error
      }
      if !isPrimary { try await Task.sleep(for: .milliseconds(100)) }
    }
    await client.close()
    if !isPrimary { throw last ?? BenchError("no primary within a minute") }
  }

  private func stop(_ console: Console) async {
    if server == nil {
      do {
        try await client.withConnection { _ = try $0.command(["dropDatabase": 1]) }
      } catch {
        console.progress("the database \(client.configuration.database) could not be dropped: \(error)")
      }
    }
    await client.close()
    guard let server, let directory else { return }
    server.signal(SIGTERM)
    _ = await server.ended()
    try? FileManager.default.removeItem(at: directory)
  }
}
