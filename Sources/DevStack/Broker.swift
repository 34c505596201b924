import CRMMessaging
import Foundation
import Kafka
import Runtime

/// The stack's Kafka broker: the one that `KAFKA_BROKERS` names, else an Apache Kafka from `KAFKA_HOME`, else librdkafka's
/// mock cluster.
enum BrokerChoice: Sendable, Equatable {
  case given(String)
  case apacheKafka(home: URL)
  case embedded

  init(environment: [String: String]) {
    if let brokers = environment["KAFKA_BROKERS"], !brokers.isEmpty {
      self = .given(brokers)
    } else if let home = environment["KAFKA_HOME"], !home.isEmpty {
      self = .apacheKafka(home: URL(fileURLWithPath: home).absoluteURL)
    } else {
      self = .embedded
    }
  }

  func description(at address: String) -> String {
    switch self {
    case .given: "Kafka at \(address) (KAFKA_BROKERS)"
    case .apacheKafka(let home): "Apache Kafka at \(address), started here from \(home.path)"
    case .embedded: "embedded (librdkafka mock cluster) at \(address)"
    }
  }
}

/// The body of `devstack broker`: the embedded broker, which lives as long as its process.
enum EmbeddedBrokerProcess {
  /// Its partitions keep no more than their newest 5 MB each, hence many.
  static let partitions = 32

  /// Makes every topic of the product, tells the address in a file, and serves until a signal.
  static func run(addressFile: URL) async throws {
    let broker = try EmbeddedBroker()
    for topic in Topic.allCases { try broker.createTopic(topic.name, partitions: partitions) }
    try broker.bootstrapServers.write(to: addressFile, atomically: true, encoding: .utf8)
    try? await Interruption.cancelling { try await Task.sleep(for: .seconds(Int64(Int32.max))) }
    broker.close()
    await broker.waitUntilClosed()
  }
}

/// A single Apache Kafka node, from the jars of a distribution (`libs/`), controller and broker in one.
struct ApacheKafka: Sendable {
  let home: URL
  let data: URL
  let port: Int
  let controllerPort: Int

  static func java(environment: [String: String]) throws -> String {
    var candidates = (environment["PATH"] ?? "").split(separator: ":").map { "\($0)/java" }
    if let home = environment["JAVA_HOME"], !home.isEmpty { candidates.insert("\(home)/bin/java", at: 0) }
    guard let java = candidates.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else {
      throw StackError("KAFKA_HOME is set, but there is no java: apt-get install openjdk-17-jre-headless")
    }
    return java
  }

  var properties: URL { data.appending(path: "server.properties") }
  var isFormatted: Bool {
    FileManager.default.fileExists(atPath: data.appending(path: "data/meta.properties").path)
  }

  func writeProperties() throws {
    try FileManager.default.createDirectory(at: data, withIntermediateDirectories: true)
    let text = """
      process.roles=broker,controller
      node.id=1
      controller.quorum.voters=1@127.0.0.1:\(controllerPort)
      controller.listener.names=CONTROLLER
      listeners=PLAINTEXT://127.0.0.1:\(port),CONTROLLER://127.0.0.1:\(controllerPort)
      advertised.listeners=PLAINTEXT://127.0.0.1:\(port)
      log.dirs=\(data.appending(path: "data").path)
      offsets.topic.replication.factor=1
      offsets.topic.num.partitions=8
      transaction.state.log.replication.factor=1
      transaction.state.log.min.isr=1
      share.coordinator.state.topic.replication.factor=1
      share.coordinator.state.topic.min.isr=1
      group.initial.rebalance.delay.ms=0

      """
    try text.write(to: properties, atomically: true, encoding: .utf8)
  }

  /// Arguments of the JVM that writes the cluster's id into an empty data directory.
  func formatArguments() -> [String] {
    let id = Data((0..<16).map { _ in UInt8.random(in: 0...255) }).base64EncodedString().prefix(22)
      .replacing("+", with: "-").replacing("/", with: "_")
    // A leading dash would read as an option.
    return jvm(heap: "64m") + ["kafka.tools.StorageTool", "format", "-t", "k\(id.dropFirst())", "-c", properties.path]
  }

  func brokerArguments(environment: [String: String]) -> [String] {
    jvm(heap: environment["KAFKA_HEAP"] ?? "512m") + ["kafka.Kafka", properties.path]
  }

  private func jvm(heap: String) -> [String] {
    let logging = ["log4j2.yaml", "config/log4j2.yaml"].map { home.appending(path: $0) }
      .first { FileManager.default.fileExists(atPath: $0.path) }
    return ["-Xmx\(heap)", "-XX:+UseSerialGC", "-cp", "\(home.appending(path: "libs").path)/*"]
      + (logging.map { ["-Dlog4j2.configurationFile=\($0.path)"] } ?? [])
  }
}
