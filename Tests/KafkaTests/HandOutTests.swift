import Foundation
import Kafka
import Testing

/// How `nextBatch` waits, against the embedded broker.
@Suite(.embeddedBroker)
struct HandOutTests {
  @Test func aCancelledTaskGetsNothingAndTheNextOneTheRecords() async throws {
    let broker = try TestBroker.of(.embedded)
    let topic = try await broker.makeTopic(partitions: 1)
    let consumer = try makeConsumer(broker.servers, topics: [topic])
    let cancelled = Task { await consumer.nextBatch(max: 10, wait: .seconds(60)) }
    try await Task.sleep(for: .milliseconds(50))
    cancelled.cancel()
    #expect(await cancelled.value == [])
    let producer = try makeProducer(broker.servers)
    try await producer.deliver(numbered(topic, 0..<3, partitions: 1))
    #expect(try await consumer.read(3).map(\.number) == [0, 1, 2])
    await consumer.close(drain: .zero)
    await producer.close()
  }

  @Test func aWaitEndsOnTimeAndALingerFillsTheBatch() async throws {
    let broker = try TestBroker.of(.embedded)
    let topic = try await broker.makeTopic(partitions: 1)
    let consumer = try makeConsumer(broker.servers, topics: [topic])
    try await eventually("the partition is assigned") { consumer.assignment.count == 1 }
    let start = ContinuousClock.now
    #expect(await consumer.nextBatch(max: 10, wait: .milliseconds(30)) == [])
    #expect((Duration.milliseconds(30)..<Duration.milliseconds(500)).contains(ContinuousClock.now - start))

    let producer = try makeProducer(broker.servers)
    async let batch = consumer.nextBatch(max: 3, wait: .seconds(20), linger: .seconds(20))
    for number in 0..<3 { try await producer.deliver([record(topic, "\(number)")]) }
    #expect(await batch?.map(\.number) == [0, 1, 2])

    try await producer.deliver([record(topic, "3")])
    #expect(await consumer.nextBatch(max: 100, wait: .seconds(20), linger: .milliseconds(50))?.map(\.number) == [3])
    await consumer.close(drain: .zero)
    await producer.close()
  }

  @Test func severalTasksShareTheRecords() async throws {
    let broker = try TestBroker.of(.embedded)
    let topic = try await broker.makeTopic(partitions: 4)
    let producer = try makeProducer(broker.servers)
    let consumer = try makeConsumer(broker.servers, topics: [topic])
    let tally = Tally()
    let workers = (0..<8).map { _ in work(consumer, tally, holding: .zero) }
    try await producer.deliver(numbered(topic, 0..<2000, partitions: 4))
    try await eventually("each record is seen once") { tally.distinct == 2000 && tally.total == 2000 }
    #expect(consumer.outstanding == 0)
    #expect(consumer.statistics.completed == 2000)
    await consumer.close()
    for worker in workers { await worker.value }
    await producer.close()
  }

  @Test func aRecordIsHandedOutPromptly() async throws {
    let broker = try TestBroker.of(.embedded)
    let topic = try await broker.makeTopic(partitions: 1)
    let producer = try makeProducer(broker.servers)
    let consumer = try makeConsumer(broker.servers, topics: [topic])
    try await eventually("the partition is assigned") { consumer.assignment.count == 1 }
    var latencies: [Duration] = []
    for number in 0..<20 {
      let start = ContinuousClock.now
      try await producer.deliver([record(topic, "\(number)")])
      consumer.complete(records: try await consumer.read(1))
      latencies.append(ContinuousClock.now - start)
    }
    // The embedded broker holds an empty fetch for its full wait, 20 ms here.
    #expect(latencies.sorted()[10] < .milliseconds(200), "\(latencies)")
    await consumer.close()
    await producer.close()
  }
}
