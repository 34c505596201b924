import BSON
import Foundation
import Mongo

/// The stack's MongoDB: the one that `MONGODB_URI` names, else a one-member replica set of our own.
struct MongoServer: Sendable {
  let uri: String
  /// `started here (…)` or where it was found; never with credentials.
  let description: String

  static let replicaSet = "rs0"
  private static let startLimit: Duration = .seconds(60)

  /// Uses the server that the caller has, once it answers.
  static func given(_ uri: String) async throws -> MongoServer {
    let client = try MongoClient(configuration(uri))
    do {
      try await Poll.until("MongoDB at \(withoutCredentials(uri))", within: startLimit, every: .milliseconds(500)) {
        (try? await client.ping()).map { true }
      }
    } catch {
      await client.close()
      throw error
    }
    await client.close()
    return MongoServer(uri: uri, description: "\(withoutCredentials(uri)) (MONGODB_URI)")
  }

  /// Where the binary is: what `scripts/mongod.sh` found, else on the search path.
  static func binary(environment: [String: String]) throws -> String {
    if let path = environment["MINICRM_MONGOD"], !path.isEmpty { return path }
    let candidates =
      [".cache/mongod"] + (environment["PATH"] ?? "").split(separator: ":").map(String.init)
    for directory in candidates {
      let path = URL(fileURLWithPath: directory).appending(path: "mongod").path
      if FileManager.default.isExecutableFile(atPath: path) { return path }
    }
    throw StackError("no mongod: run scripts/mongod.sh, or set MONGODB_URI")
  }

  /// mongod's arguments. The cache is held small: this machine runs everything else too. A process that is killed leaves
  /// its open transaction behind, whose locks keep others waiting until its lifetime ends.
  static func arguments(port: Int, data: URL, environment: [String: String]) -> [String] {
    [
      "--replSet", replicaSet, "--dbpath", data.path, "--bind_ip", "127.0.0.1", "--port", "\(port)", "--nounixsocket",
      "--wiredTigerCacheSizeGB", environment["MONGOD_CACHE_GB"] ?? "1",
      "--setParameter", "diagnosticDataCollectionEnabled=false",
      "--setParameter", "transactionLifetimeLimitSeconds=10",
      "--setParameter", "shutdownTimeoutMillisForSignaledShutdown=100",
    ]
  }

  /// Makes the started mongod the primary of its replica set, whatever port it had at an earlier start.
  static func initiate(port: Int, isAlive: @Sendable () -> Bool) async throws -> MongoServer {
    let address = "127.0.0.1:\(port)"
    let client = try MongoClient(configuration("mongodb://\(address)/?directConnection=true"))
    do {
      try await Poll.until("mongod at \(address)", within: startLimit) { () async throws -> Bool? in
        guard isAlive() else { throw StackError("mongod ended while starting") }
        return (try? await client.ping()).map { true }
      }
      try await configure(client, address: address)
      try await Poll.until("a primary at \(address)", within: startLimit) { () async throws -> Bool? in
        guard isAlive() else { throw StackError("mongod ended while starting") }
        let hello = try await client.withConnection { try $0.command(["hello": 1], database: "admin") }
        return hello["isWritablePrimary"]?.boolValue == true ? true : nil
      }
    } catch {
      await client.close()
      throw error
    }
    await client.close()
    return MongoServer(uri: "mongodb://\(address)/?replicaSet=\(replicaSet)", description: "\(address), started here")
  }

  /// Initiates the set, or corrects the address that an older port has left in its configuration.
  private static func configure(_ client: MongoClient, address: String) async throws {
    let member: BSONDocument = ["_id": 0, "host": .string(address)]
    do {
      let reply = try await client.withConnection { try $0.command(["replSetGetConfig": 1], database: "admin") }
      guard var config = reply["config"]?.documentValue,
        config["members"]?.arrayValue?.first?.documentValue?["host"]?.stringValue != address
      else { return }
      config = replacing(config, members: member)
      let command: BSONDocument = ["replSetReconfig": .document(config), "force": true]
      _ = try await client.withConnection { try $0.command(command, database: "admin") }
    } catch let error as MongoError where error.code == notYetInitialized {
      let config: BSONDocument = ["_id": .string(replicaSet), "members": .array([.document(member)])]
      let command: BSONDocument = ["replSetInitiate": .document(config)]
      _ = try await client.withConnection { try $0.command(command, database: "admin") }
    }
  }

  /// MongoDB's error code `NotYetInitialized`.
  private static let notYetInitialized = 94

  private static func replacing(_ config: BSONDocument, members member: BSONDocument) -> BSONDocument {
    var changed = BSONDocument()
    for (key, value) in config { changed.append(key, key == "members" ? .array([.document(member)]) : value) }
    return changed
  }

  private static func configuration(_ uri: String) -> MongoClient.Configuration {
    var configuration = MongoClient.Configuration(uri: uri, database: "admin")
    configuration.poolSize = 1
    configuration.serverSelectionTimeoutMS = 1000
    return configuration
  }

  static func withoutCredentials(_ uri: String) -> String {
    guard let scheme = uri.range(of: "://"), let at = uri.lastIndex(of: "@"), at > scheme.upperBound else { return uri }
    return uri[..<scheme.upperBound] + "…" + uri[at...]
  }
}
