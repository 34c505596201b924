import Foundation
import Testing

@testable import Kafka

/// What happens when brokers are away or refuse. Each test has an embedded broker of its own to mistreat.
@Suite(.embeddedBroker)
struct OutageTests {
  @Test func withoutABrokerEveryCallFailsInTimeWithItsType() async throws {
    // Nothing listens on port 1.
    let producer = try makeProducer("127.0.0.1:1") { $0.deliveryTimeout = .milliseconds(700) }
    let start = ContinuousClock.now
    let error = await #expect(throws: KafkaError.self) { try await producer.produce(record("topic", "lost")) }
    #expect(error?.kind == .timedOut && error?.isRetriable == true)
    #expect(ContinuousClock.now - start < .seconds(5))
    try await eventually("the outage shows") { !producer.health.isHealthy }
    #expect(producer.health.fatalError == nil)
    await producer.close()

    let admin = try KafkaAdmin(brokers: "127.0.0.1:1", clientID: "test-admin")
    let refusal = await #expect(throws: KafkaError.self) { try await admin.ping(timeout: .milliseconds(200)) }
    #expect(refusal.map { [.unavailable, .timedOut].contains($0.kind) } == true)
    let made = try await admin.createTopics([TopicSpec(name: "topic", partitions: 1)], timeout: .milliseconds(300))
    #expect(made.count == 1 && made.allSatisfy { !$0.isUsable })
    await #expect(throws: KafkaError.self) {
      try await admin.groupLag(group: "group", topics: ["topic"], timeout: .milliseconds(200))
    }
    await admin.close()

    let consumer = try makeConsumer("127.0.0.1:1", topics: ["topic"])
    #expect(await consumer.nextBatch(max: 1, wait: .milliseconds(100)) == [])
    let closing = ContinuousClock.now
    await consumer.close(drain: .seconds(1))
    #expect(ContinuousClock.now - closing < .seconds(8))
  }

  @Test func aFullBufferIsRefusedAfterItsDeadline() async throws {
    let producer = try makeProducer("127.0.0.1:1") {
      $0.maxBufferedRecords = 10
      $0.enqueueTimeout = .milliseconds(200)
      $0.deliveryTimeout = .seconds(2)
    }
    let results = await producer.produce((0..<15).map { record("topic", "\($0)") })
    let kinds = results.map { result in
      if case .failure(let error) = result { error.kind } else { KafkaError.Kind.other }
    }
    #expect(kinds == Array(repeating: .timedOut, count: 10) + Array(repeating: .queueFull, count: 5))
    await producer.close()
  }

  @Test func closingAProducerFailsWhatItCouldNotDeliver() async throws {
    let producer = try makeProducer("127.0.0.1:1")
    async let result = producer.produce([record("topic", "lost")])
    try await eventually("the record is buffered") { producer.queuedRecords == 1 }
    let start = ContinuousClock.now
    await producer.close(timeoutMS: 200)
    #expect(ContinuousClock.now - start < .seconds(6))
    if case .failure(let error) = await result[0] { #expect(error.kind == .closed) } else { Issue.record("delivered") }
    let error = await #expect(throws: KafkaError.self) { try await producer.produce(record("topic", "late")) }
    #expect(error?.kind == .closed)
    await producer.close()
  }

  @Test func recordsAreDeliveredAndReadOnceTheBrokerIsBack() async throws {
    let broker = try EmbeddedBroker()
    try broker.createTopic("topic", partitions: 1)
    try broker.setDown()
    // Both start while there is nobody to talk to.
    let producer = try makeProducer(broker.bootstrapServers)
    let consumer = try makeConsumer(broker.bootstrapServers, topics: ["topic"])
    async let report = producer.produce(record("topic", "0"))
    try await eventually("both see the outage") { !producer.health.isHealthy && !consumer.health.isHealthy }
    try broker.setUp()
    #expect(try await report.offset == 0)
    #expect(try await consumer.read(1).map(\.number) == [0])
    try await eventually("both see the recovery") { producer.health.isHealthy && consumer.health.isHealthy }

    try broker.setDown()
    async let later = producer.produce(record("topic", "1"))
    try await eventually("both see the second outage") { !producer.health.isHealthy && !consumer.health.isHealthy }
    try broker.setUp()
    #expect(try await later.offset == 1)
    #expect(try await consumer.read(1).map(\.number) == [1])
    await consumer.close(drain: .zero)
    await producer.close()
    broker.close()
    await broker.waitUntilClosed()
  }

  @Test func requestsThatFailForAWhileAreRepeatedWithoutDuplicates() async throws {
    let broker = try EmbeddedBroker()
    try broker.createTopic("topic", partitions: 1)
    // NOT_ENOUGH_REPLICAS, a hang-up, NOT_LEADER.
    try broker.fail(.produce, with: [19, -195, 6])
    let producer = try makeProducer(broker.bootstrapServers)
    let reports = try await producer.produce(numbered("topic", 0..<10, partitions: 1)).map { try $0.get() }
    #expect(reports.map(\.offset) == Array(0..<10))
    await producer.close()
    broker.close()
    await broker.waitUntilClosed()
  }

  @Test func aCommitThatFailsIsRepeated() async throws {
    let broker = try EmbeddedBroker()
    try broker.createTopic("topic", partitions: 1)
    let producer = try makeProducer(broker.bootstrapServers)
    try await producer.deliver(numbered("topic", 0..<3, partitions: 1))
    // INVALID_COMMIT_OFFSET_SIZE: nothing librdkafka would repeat by itself.
    try broker.fail(.offsetCommit, with: [28, 28])
    let consumer = try makeConsumer(broker.bootstrapServers, topics: ["topic"])
    consumer.complete(records: try await consumer.read(3))
    try await eventually("the third attempt succeeds") {
      consumer.statistics.commitFailures == 2 && consumer.statistics.commits == 1
    }
    await consumer.close()
    await producer.close()
    broker.close()
    await broker.waitUntilClosed()
  }

  /// As while a broker that has just started reads its groups. librdkafka looks up the client's own group then, and a client
  /// without one ended the process.
  @Test func aGroupWhoseCoordinatorMovesIsAskedAgain() async throws {
    let broker = try EmbeddedBroker()
    try broker.createTopic("topic", partitions: 1)
    let producer = try makeProducer(broker.bootstrapServers)
    try await producer.deliver(numbered("topic", 0..<3, partitions: 1))
    let admin = try KafkaAdmin(brokers: broker.bootstrapServers, clientID: "test-admin")
    // COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR.
    for code in [14, 15, 16] as [Int32] {
      try broker.fail(.offsetFetch, with: [code])
      _ = try? await admin.groupLag(group: "group", topics: ["topic"], timeout: .seconds(1))
    }
    try broker.clearFailures(of: .offsetFetch)
    #expect(try await admin.groupLag(group: "group", topics: ["topic"]).map(\.lag) == [3])
    await admin.close()
    await producer.close()
    broker.close()
    await broker.waitUntilClosed()
  }

  @Test func aFatalErrorEndsTheProducerForGood() async throws {
    let broker = try TestBroker.of(.embedded)
    let topic = try await broker.makeTopic(partitions: 1)
    let producer = try makeProducer(broker.servers)
    try await producer.produce(record(topic, "0"))
    producer.injectFatalError()
    let error = await #expect(throws: KafkaError.self) { try await producer.produce(record(topic, "1")) }
    #expect(error?.isFatal == true && error?.isRetriable == false)
    try await eventually("health shows the cause") {
      producer.health.fatalError?.name == "OUT_OF_ORDER_SEQUENCE_NUMBER"
    }
    #expect(!producer.health.isHealthy)
    let start = ContinuousClock.now
    await producer.close()
    #expect(ContinuousClock.now - start < .seconds(5))
  }

  @Test func settingsThatMakeNoSenseAreRefused() async throws {
    let error = #expect(throws: KafkaError.self) { try makeProducer("localhost:1") { $0.compression = "zip" } }
    #expect(error?.kind == .invalidConfiguration)
    #expect(throws: KafkaError.self) { try makeConsumer("localhost:1", topics: []) }
    #expect(throws: KafkaError.self) { try makeConsumer("localhost:1", topics: ["a"]) { $0.extra["no.such"] = "1" } }
    #expect(throws: KafkaError.self) { try EmbeddedBroker(brokers: 0) }
    let producer = try makeProducer("127.0.0.1:1")
    let empty = await #expect(throws: KafkaError.self) { try await producer.produce(record("", "x")) }
    #expect(empty?.kind == .invalidConfiguration)
    #expect(await producer.produce([]).isEmpty)
    await producer.close()
  }
}
