import Foundation
import Kafka
import Testing

/// A broker the conformance suite runs against.
struct TestBroker: Sendable, CustomTestStringConvertible {
  enum Kind: Sendable, CaseIterable {
    case embedded, real

    /// The embedded broker always; a real one when the environment names it.
    static var available: [Kind] {
      let environment = ProcessInfo.processInfo.environment
      let real = environment["KAFKA_BROKERS"] ?? environment["KAFKA_HOME"]
      return real?.isEmpty == false ? [.embedded, .real] : [.embedded]
    }
  }

  let kind: Kind
  let servers: String
  let embedded: EmbeddedBroker?

  var testDescription: String { "\(kind) broker" }

  /// The brokers of the suite that is running.
  @TaskLocal static var running: [Kind: TestBroker] = [:]

  static func of(_ kind: Kind) throws -> TestBroker {
    try #require(running[kind])
  }

  /// A topic of its own for each test.
  func makeTopic(partitions: Int) async throws -> String {
    let name = "test-\(UUID().uuidString.lowercased())"
    try await create(topic: name, partitions: partitions)
    return name
  }

  func create(topic: String, partitions: Int) async throws {
    if let embedded {
      try embedded.createTopic(topic, partitions: partitions)
    } else {
      let admin = try KafkaAdmin(brokers: servers, clientID: "test-admin")
      let created = try await admin.createTopics([TopicSpec(name: topic, partitions: partitions)])
      await admin.close()
      for topic in created { try #require(topic.isUsable, "\(topic)") }
    }
  }
}

/// Starts the brokers before a suite and stops them after it.
///
/// Suites with brokers run one after another, so that one can measure the process; the tests within a suite run at
/// once, because the embedded broker lets every new group wait for three seconds.
struct BrokersTrait: SuiteTrait, TestScoping {
  private static let turn = AsyncMutex()
  let kinds: [TestBroker.Kind]

  func provideScope(
    for test: Test, testCase: Test.Case?, performing body: @Sendable () async throws -> Void
  ) async throws {
    try await Self.turn.withLock { try await runBrokers(around: body) }
  }

  private func runBrokers(around body: @Sendable () async throws -> Void) async throws {
    var running: [TestBroker.Kind: TestBroker] = [:]
    let embedded = try EmbeddedBroker()
    running[.embedded] = TestBroker(kind: .embedded, servers: embedded.bootstrapServers, embedded: embedded)
    var started: RealBroker?
    if kinds.contains(.real) {
      let environment = ProcessInfo.processInfo.environment
      if let servers = environment["KAFKA_BROKERS"], !servers.isEmpty {
        running[.real] = TestBroker(kind: .real, servers: servers, embedded: nil)
      } else if let home = environment["KAFKA_HOME"] {
        let broker = try RealBroker(home: home)
        started = broker
        running[.real] = TestBroker(kind: .real, servers: broker.address, embedded: nil)
      }
    }
    print("Kafka brokers: \(running.values.map { "\($0.kind) at \($0.servers)" }.sorted())")
    defer { started?.stop() }
    try await TestBroker.$running.withValue(running, operation: body)
    embedded.close()
    await embedded.waitUntilClosed()
  }
}

extension Trait where Self == BrokersTrait {
  static var brokers: Self { BrokersTrait(kinds: TestBroker.Kind.available) }
  static var embeddedBroker: Self { BrokersTrait(kinds: [.embedded]) }
}

/// Lets one task at a time through, first come, first served.
private actor AsyncMutex {
  private var held = false
  private var waiting: [CheckedContinuation<Void, Never>] = []

  func withLock(_ body: @Sendable () async throws -> Void) async rethrows {
    if held {
      await withCheckedContinuation { waiting.append($0) }
    } else {
      held = true
    }
    defer {
      if waiting.isEmpty { held = false } else { waiting.removeFirst().resume() }
    }
    try await body()
  }
}

/// An Apache Kafka broker in a directory of its own, by the script `kafka` in `KAFKA_HOME`.
struct RealBroker {
  let address: String
  private let home: String
  private let directory: String

  init(home: String) throws {
    self.home = home
    directory = NSTemporaryDirectory() + "kafka-test-\(UUID().uuidString)"
    let output = try Self.run(home, ["start", directory])
    let words = output.split { $0.isWhitespace }
    address = String(try #require(words.last { $0.contains(":") }, "\(output)"))
  }

  func stop() {
    _ = try? Self.run(home, ["stop", directory, "KILL"])
    try? FileManager.default.removeItem(atPath: directory)
  }

  /// Runs the script and returns what it prints. Not by Foundation's `Process`, which takes a program for running as
  /// long as anything it started lives: the broker does.
  private static func run(_ home: String, _ arguments: [String]) throws -> String {
    let output = NSTemporaryDirectory() + "kafka-script-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: output) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT, 0o600)
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
    let words = ([home + "/kafka"] + arguments).map { strdup($0) }
    defer { for word in words { free(word) } }
    var process = pid_t()
    let failure = posix_spawn(&process, home + "/kafka", &actions, nil, words + [nil], environ)
    try #require(failure == 0, "cannot run \(home)/kafka")
    var status: Int32 = 0
    while waitpid(process, &status, 0) == -1, errno == EINTR {}
    try #require(status == 0, "kafka \(arguments) failed")
    return try String(contentsOfFile: output, encoding: .utf8)
  }
}
