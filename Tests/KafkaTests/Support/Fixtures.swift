import Foundation
import Kafka
import Synchronization
import Testing

/// A producer's settings for tests; `change` names the difference.
func makeProducer(
  _ servers: String, _ change: (inout KafkaProducerConfiguration) -> Void = { _ in }
) throws -> KafkaProducer {
  var configuration = KafkaProducerConfiguration(brokers: servers, clientID: "test-producer")
  configuration.lingerMS = 1
  change(&configuration)
  return try KafkaProducer(configuration, log: testLog)
}

/// Prints the clients' logs when `KAFKA_TEST_LOG` is set.
let testLog: KafkaLogHandler = { level, facility, message in
  guard ProcessInfo.processInfo.environment["KAFKA_TEST_LOG"] != nil else { return }
  print(Date().timeIntervalSince1970, level, facility, message)
}

/// A started consumer for tests; `change` names the difference.
func makeConsumer(
  _ servers: String, group: String = "group-\(UUID().uuidString)", topics: [String],
  _ change: (inout KafkaConsumerConfiguration) -> Void = { _ in }
) throws -> KafkaConsumer {
  var configuration = KafkaConsumerConfiguration(
    brokers: servers, groupID: group, clientID: "test-consumer", topics: topics)
  // Apache Kafka allows no less than 6 s; the embedded broker makes a group that changes wait for nearly as long.
  configuration.sessionTimeout = TestBroker.running[.real]?.servers == servers ? .seconds(6) : .seconds(4)
  configuration.metadataRefresh = .milliseconds(500)
  configuration.commitInterval = .milliseconds(100)
  configuration.fetchWait = .milliseconds(20)
  change(&configuration)
  let consumer = try KafkaConsumer(configuration, log: testLog)
  try consumer.start()
  return consumer
}

func record(_ topic: String, key: String? = nil, _ value: String, partition: Int32? = nil) -> KafkaRecord {
  KafkaRecord(topic: topic, key: key.map { Array($0.utf8) }, value: Array(value.utf8), partition: partition)
}

/// Numbered records `0..<count`, spread over the partitions in turn.
func numbered(_ topic: String, _ numbers: Range<Int>, partitions: Int) -> [KafkaRecord] {
  numbers.map { record(topic, key: "\($0)", "\($0)", partition: Int32($0 % partitions)) }
}

extension ConsumedRecord {
  var text: String { String(decoding: value ?? [], as: UTF8.self) }
  var number: Int { Int(text) ?? -1 }
}

extension KafkaProducer {
  /// Produces and expects every record to be delivered.
  func deliver(_ records: [KafkaRecord]) async throws {
    for result in await produce(records) { _ = try result.get() }
  }
}

extension KafkaConsumer {
  /// Reads until `count` records are there, or fails after `limit`. Completes nothing.
  func read(_ count: Int, within limit: Duration = .seconds(20)) async throws -> [ConsumedRecord] {
    let deadline = ContinuousClock.now + limit
    var records: [ConsumedRecord] = []
    while records.count < count, ContinuousClock.now < deadline {
      guard let batch = await nextBatch(max: count - records.count, wait: .milliseconds(200)) else { break }
      records += batch
    }
    try #require(records.count == count, "read \(records.count) of \(count) records in time")
    return records
  }
}

/// Polls `condition` until it holds; fails after `limit`.
func eventually(
  within limit: Duration = .seconds(15), _ what: Comment, sourceLocation: SourceLocation = #_sourceLocation,
  _ condition: () async throws -> Bool
) async throws {
  let deadline = ContinuousClock.now + limit
  while try await !condition() {
    try #require(ContinuousClock.now < deadline, what, sourceLocation: sourceLocation)
    try await Task.sleep(for: .milliseconds(10))
  }
}

/// What several workers have seen: how often each number, and how many records in all.
final class Tally: Sendable {
  private let counts = Mutex<[Int: Int]>([:])

  var distinct: Int { counts.withLock { $0.count } }
  var total: Int { counts.withLock { $0.values.reduce(0, +) } }

  func note(_ records: [ConsumedRecord]) {
    counts.withLock { counts in for record in records { counts[record.number, default: 0] += 1 } }
  }
}

/// Takes, notes and completes records until the consumer is closed; each batch is in hand for a while, so that a
/// rebalance finds some outstanding.
func work(_ consumer: KafkaConsumer, _ tally: Tally, holding: Duration = .milliseconds(2)) -> Task<Void, Never> {
  Task {
    while let batch = await consumer.nextBatch(max: 10, wait: .milliseconds(50)) {
      try? await Task.sleep(for: holding)
      tally.note(batch)
      consumer.complete(records: batch)
    }
  }
}
