import BSON
import Foundation
import Kafka
import Mongo

/// The servers below the product, as a chaos run starts them: quick to notice a death, and able to be killed.
struct ChaosServers: Sendable {
  let fleet: Fleet
  let directory: StackDirectory
  let environment: [String: String]

  static func mongodName(_ index: Int) -> String { "mongod-\(index + 1)" }

  /// Starts a replica set.
  ///
  /// - Parameter members: 1, or 3 where a primary is to fall.
  /// - Returns: its connection string.
  func startMongo(members: Int, _ ports: inout ChaosPorts) async throws -> String {
    let binary = try MongoServer.binary(environment: environment)
    var addresses: [String] = []
    for index in 0..<members {
      let port = try ports.take()
      let data = directory.root.appending(path: "mongo/\(index)")
      try FileManager.default.createDirectory(at: data, withIntermediateDirectories: true)
      var arguments = MongoServer.arguments(port: port, data: data, environment: ["MONGOD_CACHE_GB": "0.5"])
      // A killed process leaves its transaction open; a short life of transactions keeps the others from waiting long.
      arguments = arguments.map { $0.hasPrefix("transactionLifetime") ? "transactionLifetimeLimitSeconds=3" : $0 }
      arguments += ["--setParameter", "ttlMonitorEnabled=false", "--oplogSize", "200"]
      addresses.append("127.0.0.1:\(port)")
      try fleet.add(FleetMember(name: Self.mongodName(index), executable: binary, arguments: arguments))
    }
    try await initiate(addresses)
    return "mongodb://\(addresses.joined(separator: ","))/?replicaSet=\(MongoServer.replicaSet)"
  }

  private func initiate(_ addresses: [String]) async throws {
    var configuration = MongoClient.Configuration(
      uri: "mongodb://\(addresses[0])/?directConnection=true", database: "admin")
    configuration.poolSize = 1
    configuration.serverSelectionTimeoutMS = 1000
    let client = try MongoClient(configuration)
    do {
      let members = addresses.enumerated().map { index, address in
        BSONValue.document([
          "_id": .int32(Int32(index)), "host": .string(address), "priority": .double(index == 0 ? 2 : 1),
        ])
      }
      let set: BSONDocument = [
        "_id": .string(MongoServer.replicaSet), "members": .array(members),
        "settings": ["electionTimeoutMillis": 2000, "heartbeatIntervalMillis": 500],
      ]
      try await Poll.until("the replica set", within: .seconds(60)) { () async throws -> Bool? in
        do {
          _ = try await client.withConnection { try $0.command(["replSetInitiate": .document(set)], database: "admin") }
          return true
        } catch let error as MongoError where error.code == 23 {
          return true  // AlreadyInitialized
        } catch {
          return nil
        }
      }
      try await Poll.until("a primary", within: .seconds(60)) { () async throws -> Bool? in
        let hello = try? await client.withConnection { try $0.command(["hello": 1], database: "admin") }
        return hello?["primary"]?.stringValue == nil ? nil : true
      }
    } catch {
      await client.close()
      throw error
    }
    await client.close()
  }

  /// Starts the broker: Apache Kafka where `KAFKA_HOME` says where, else the embedded one.
  ///
  /// - Returns: its address, and whether it may be killed and started again.
  func startBroker(_ ports: inout ChaosPorts) async throws -> (address: String, isReal: Bool) {
    guard case .apacheKafka(let home) = BrokerChoice(environment: environment) else {
      let own = ProcessInfo.processInfo.arguments[0]
      let path = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? own
      try fleet.add(
        FleetMember(
          name: "broker", executable: path, arguments: ["broker", "--address-file", directory.brokerAddress.path]))
      let address = try await Poll.until("the embedded broker", within: .seconds(30)) {
        try? String(contentsOf: directory.brokerAddress, encoding: .utf8)
      }
      return (address, false)
    }
    let java = try ApacheKafka.java(environment: environment)
    let port = try ports.take()
    let controller = try ports.take()
    let kafka = ApacheKafka(home: home, data: directory.kafka, port: port, controllerPort: controller)
    try kafka.writeProperties()
    let properties = try String(contentsOf: kafka.properties, encoding: .utf8)
    try (properties + "group.min.session.timeout.ms=1000\nauto.create.topics.enable=false\ndelete.topic.enable=true\n")
      .write(to: kafka.properties, atomically: true, encoding: .utf8)
    let log = directory.log("broker-format")
    let format = try ChildProcess.start(java, kafka.formatArguments(), environment: environment, log: log)
    let process = StackProcess(
      name: "format", pid: format, startTicks: StackProcess.startTicks(of: format) ?? 0, url: nil)
    guard await Stopping.waitUntilGone([process], within: .seconds(60)), kafka.isFormatted else {
      kill(format, SIGKILL)
      throw StackError("Kafka's data directory could not be formatted\n\(directory.tail("broker-format"))")
    }
    try fleet.add(
      FleetMember(name: "broker", executable: java, arguments: kafka.brokerArguments(environment: environment)))
    return ("127.0.0.1:\(port)", true)
  }
}
