import BSON
import CRMStore
import Crypto
import Foundation
import Kafka
import Mongo
import Runtime
import Synchronization

/// The servers that tests talk to: a real MongoDB and a broker, started once for the test process and gone with it.
///
/// `MONGODB_URI` and `KAFKA_BROKERS` name running ones instead. The MongoDB binary is `MINICRM_MONGOD`, or the one that
/// `scripts/mongod.sh` has put under `.cache`, or `mongod` on the path.
actor TestServers {
  static let shared = TestServers()

  struct Unavailable: Error, CustomStringConvertible {
    let description: String
  }

  private var server: Task<String, any Error>?
  private var broker: EmbeddedBroker?

  /// A client of a database of its own, empty.
  func mongo(poolSize: Int = 8) async throws -> MongoClient {
    let uri = try await mongoURI()
    let database = "test_" + String(UInt64.random(in: 0...UInt64.max), radix: 16)
    var configuration = MongoClient.Configuration(uri: uri, database: database)
    configuration.poolSize = poolSize
    return try MongoClient(configuration)
  }

  /// A store with its schema, in a database of its own.
  func store(clock: any WallClock = SystemClock()) async throws -> Store {
    let store = Store(mongo: try await mongo(), clock: clock)
    try await store.ensureSchema()
    return store
  }

  /// Bootstrap servers of `KAFKA_BROKERS`, else of an embedded broker.
  func kafkaBrokers() throws -> String {
    if let brokers = ProcessInfo.processInfo.environment["KAFKA_BROKERS"] { return brokers }
    if let broker { return broker.bootstrapServers }
    let started = try EmbeddedBroker()
    broker = started
    return started.bootstrapServers
  }

  func mongoURI() async throws -> String {
    if let uri = ProcessInfo.processInfo.environment["MONGODB_URI"] { return uri }
    let starting = server ?? Task { try await TestServers.startMongoDB() }
    server = starting
    return try await starting.value
  }

  /// Nothing expires by the server's own clock: tests have theirs, which may be far behind it.
  private static func startMongoDB() async throws -> String {
    let binary = try mongodBinary()
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("minicrm-mongo-\(UUIDBytes())")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    guard let port = TCPPorts.anyFree() else { throw Unavailable(description: "no free port") }
    // Hundreds of databases with seventy files each: those at rest are closed, or the server ends for want of descriptors.
    // The shell holds the server's life: its standard input is a pipe from this process, and ends with it.
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = [
      "-c",
      """
      ulimit -n "$(ulimit -H -n)"
      "$1" --dbpath "$2" --port "$3" --bind_ip 127.0.0.1 --replSet rs0 --wiredTigerCacheSizeGB 0.5 \
        --wiredTigerEngineConfigString "file_manager=(close_idle_time=20,close_scan_interval=5)" \
        --setParameter diagnosticDataCollectionEnabled=false --setParameter enableTestCommands=1 \
        --setParameter ttlMonitorEnabled=false \
        > "$2/mongod.log" 2>&1 < /dev/null &
      cat > /dev/null
      kill -9 $!
      rm -rf "$2"
      """,
      "sh", binary, directory.path, String(port),
    ]
    process.standardInput = lifeline
    try process.run()
    let uri = "mongodb://127.0.0.1:\(port)/?directConnection=true"
    try await initiate(uri, port: port)
    return "mongodb://127.0.0.1:\(port)/?replicaSet=rs0"
  }

  /// Written to by nobody; its other end closes when this process ends, however it ends.
  private static let lifeline = Pipe()

  private static func initiate(_ uri: String, port: Int) async throws {
    var configuration = MongoClient.Configuration(uri: uri, database: "admin")
    configuration.poolSize = 1
    let client = try MongoClient(configuration)
    let members: BSONValue = .array([["_id": 0, "host": .string("127.0.0.1:\(port)")]])
    try await until("MongoDB has a primary", within: .seconds(60)) {
      let state = try await client.withConnection { connection -> Bool in
        let hello = try connection.command(["hello": 1], database: "admin")
        if hello["setName"] == nil {
          _ = try connection.command(["replSetInitiate": ["_id": "rs0", "members": members]], database: "admin")
        }
        return hello["isWritablePrimary"]?.boolValue == true
      }
      return state
    }
    await client.close()
  }

  private static func mongodBinary() throws -> String {
    let environment = ProcessInfo.processInfo.environment
    let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    var candidates: [String] = []
    if let named = environment["MINICRM_MONGOD"] { candidates.append(named) }
    candidates.append(repository.appendingPathComponent(".cache/mongod/mongod").path)
    candidates += (environment["PATH"] ?? "").split(separator: ":").map { "\($0)/mongod" }
    for candidate in candidates where FileManager.default.isExecutableFile(atPath: candidate) {
      return candidate
    }
    throw Unavailable(description: "no mongod: run scripts/mongod.sh, or set MONGODB_URI or MINICRM_MONGOD")
  }
}

/// Waits until a condition holds, trying again while it throws.
func until(
  _ what: String, within limit: Duration = .seconds(20), _ condition: @Sendable () async throws -> Bool
) async throws {
  let deadline = ContinuousClock.now + limit
  var last: (any Error)?
  while ContinuousClock.now < deadline {
    do {
      if try await condition() { return }
    } catch {
      last = error
    }
    try await Task.sleep(for: .milliseconds(50))
  }
  throw TestServers.Unavailable(description: "\(what): not within \(limit)" + (last.map { "; last: \($0)" } ?? ""))
}
