import Foundation
import Kafka
import Synchronization
import Testing

/// What the wrapper promises, against the embedded broker and, where there is one, against Apache Kafka.
@Suite(.serialized, .brokers)
struct ConformanceTests {
  @Test(arguments: TestBroker.Kind.available)
  func recordsComeBackAsTheyWere(_ kind: TestBroker.Kind) async throws {
    let broker = try TestBroker.of(kind)
    let topic = try await broker.makeTopic(partitions: 1)
    let producer = try producer(broker.servers)
    let headers = [
      KafkaHeader(name: "traceparent", value: "00-1"), KafkaHeader(name: "twice", value: "a"),
      KafkaHeader(name: "twice", value: "b"), KafkaHeader(name: "empty", value: [UInt8]()),
      KafkaHeader(name: "binary", value: [0, 255, 0]),
    ]
    let records = [
      KafkaRecord(topic: topic, key: Array("k".utf8), value: Array("v".utf8), headers: headers),
      KafkaRecord(topic: topic, key: Array("k".utf8), value: nil),
      KafkaRecord(topic: topic, key: nil, value: []),
      KafkaRecord(topic: topic, key: [], value: [0, 1, 2]),
    ]
    let reports = try await producer.produce(records).map { try $0.get() }
    #expect(reports == (0..<4).map { DeliveryReport(topic: topic, partition: 0, offset: Int64($0)) })

    let consumer = try consumer(broker.servers, topics: [topic])
    let read = try await consumer.read(4)
    #expect(read.map(\.key) == records.map(\.key))
    #expect(read.map(\.value) == records.map(\.value))
    #expect(read.map(\.headers) == records.map(\.headers))
    #expect(read.map(\.offset) == [0, 1, 2, 3])
    #expect(read[0].header("twice") == Array("b".utf8))
    #expect(abs(Double(read[0].timestampMS) - Date().timeIntervalSince1970 * 1000) < 60_000)
    await consumer.close(drain: .zero)
    await producer.close()
  }

  @Test(arguments: TestBroker.Kind.available)
  func aRebalanceLosesNothing(_ kind: TestBroker.Kind) async throws {
    let broker = try TestBroker.of(kind)
    let topic = try await broker.makeTopic(partitions: 4)
    let producer = try producer(broker.servers)
    try await producer.deliver(numbered(topic, 0..<400, partitions: 4))
    let group = "group-\(UUID().uuidString)"
    let seen = Tally()
    let t0 = ContinuousClock.now
    let first = try consumer(broker.servers, group: group, topics: [topic])
    let firstWork = work(first, seen)
    try await eventually("the first consumer owns everything") { first.assignment.count == 4 }
    print("first assigned", ContinuousClock.now - t0)
    let second = try consumer(broker.servers, group: group, topics: [topic])
    let secondWork = work(second, seen)
    try await producer.deliver(numbered(topic, 400..<800, partitions: 4))
    try await eventually("both own half") { first.assignment.count == 2 && second.assignment.count == 2 }
    print("both", ContinuousClock.now - t0)
    try await producer.deliver(numbered(topic, 800..<1000, partitions: 4))
    try await eventually("everything is seen") { seen.distinct == 1000 }
    print("seen", ContinuousClock.now - t0)
    await second.close()
    await secondWork.value
    print("second closed", ContinuousClock.now - t0)
    try await eventually("the first consumer owns everything again") { first.assignment.count == 4 }
    try await producer.deliver(numbered(topic, 1000..<1100, partitions: 4))
    try await eventually("what came after is seen") { seen.distinct == 1100 }
    print("seen", ContinuousClock.now - t0, seen.total, first.statistics)
    await first.close()
    await firstWork.value
    print("first closed", ContinuousClock.now - t0)
    await producer.close()
  }
}
