import Foundation
import Kafka
import Testing

// Groups with several members.
extension ConformanceTests {
  @Test(arguments: TestBroker.Kind.available)
  func aRebalanceLosesNothing(_ kind: TestBroker.Kind) async throws {
    let broker = try TestBroker.of(kind)
    let topic = try await broker.makeTopic(partitions: 4)
    let producer = try makeProducer(broker.servers)
    try await producer.deliver(numbered(topic, 0..<400, partitions: 4))
    let group = "group-\(UUID().uuidString)"
    let seen = Tally()

    let first = try makeConsumer(broker.servers, group: group, topics: [topic])
    let firstWork = work(first, seen)
    try await eventually("the first consumer owns everything") { first.assignment.count == 4 }
    let second = try makeConsumer(broker.servers, group: group, topics: [topic])
    let secondWork = work(second, seen)
    try await producer.deliver(numbered(topic, 400..<800, partitions: 4))
    try await eventually("both own half") { first.assignment.count == 2 && second.assignment.count == 2 }
    try await producer.deliver(numbered(topic, 800..<1000, partitions: 4))
    try await eventually("everything is seen") { seen.distinct == 1000 }

    await second.close()
    await secondWork.value
    try await eventually("the first consumer owns everything again") { first.assignment.count == 4 }
    try await producer.deliver(numbered(topic, 1000..<1100, partitions: 4))
    try await eventually("what came after is seen") { seen.distinct == 1100 }
    #expect(first.statistics.rebalances >= 3)
    // Apache Kafka accepts the commit of a member that is about to give its partitions back; the embedded broker does
    // not, so that there what was done since the last commit comes again.
    if kind == .real { #expect(seen.total == 1100) }
    await first.close()
    await firstWork.value
    await producer.close()
  }

  @Test(arguments: TestBroker.Kind.available)
  func partitionsThatWereGivenBackWhileIntakeStoodStillAreReadAfterwards(_ kind: TestBroker.Kind) async throws {
    let broker = try TestBroker.of(kind)
    let topic = try await broker.makeTopic(partitions: 2)
    let producer = try makeProducer(broker.servers)
    try await producer.deliver(numbered(topic, 0..<200, partitions: 2))
    let group = "group-\(UUID().uuidString)"
    let small: (inout KafkaConsumerConfiguration) -> Void = {
      $0.highWater = 10
      $0.drainTimeout = .milliseconds(100)
    }
    let first = try makeConsumer(broker.servers, group: group, topics: [topic], small)
    _ = try await first.read(10)
    try await eventually("the first consumer is full and has paused") { first.statistics.paused }
    let second = try makeConsumer(broker.servers, group: group, topics: [topic], small)
    try await eventually("both own one") { first.assignment.count == 1 && second.assignment.count == 1 }

    let again = try await first.read(10)
    #expect(again.map(\.offset) == Array(0..<10))
    #expect(try await second.read(10).map(\.offset) == Array(0..<10))
    await second.close(drain: .zero)
    await first.close(drain: .zero)
    await producer.close()
  }

  /// A pause or resume of a partition that the client is about to start would make it drop the start, and the partition
  /// would not be read as long as the assignment lasts: with many partitions and members, some would meet that.
  @Test func everyPartitionOfAnAssignmentIsRead() async throws {
    let broker = try TestBroker.of(.embedded)
    let partitions = 1000
    let topic = try await broker.makeTopic(partitions: partitions)
    let producer = try makeProducer(broker.servers)
    try await producer.deliver(numbered(topic, 0..<partitions, partitions: partitions))
    try await withThrowingTaskGroup { group in
      for _ in 0..<8 {
        group.addTask {
          // So little that intake stands still again and again.
          let consumer = try makeConsumer(broker.servers, topics: [topic]) { $0.highWater = 20 }
          let seen = Tally()
          let worker = work(consumer, seen, holding: .milliseconds(5))
          try await eventually(within: .seconds(60), "every partition is read") { seen.distinct == partitions }
          await consumer.close()
          await worker.value
        }
      }
      try await group.waitForAll()
    }
    await producer.close()
  }

  @Test(arguments: TestBroker.Kind.available)
  func completionsFromAnEarlierAssignmentDoNotMoveTheWatermark(_ kind: TestBroker.Kind) async throws {
    let broker = try TestBroker.of(kind)
    let topic = try await broker.makeTopic(partitions: 2)
    let producer = try makeProducer(broker.servers)
    try await producer.deliver(numbered(topic, 0..<20, partitions: 2))
    let group = "group-\(UUID().uuidString)"
    let impatient: (inout KafkaConsumerConfiguration) -> Void = {
      $0.drainTimeout = .milliseconds(100)
    }
    let first = try makeConsumer(broker.servers, group: group, topics: [topic], impatient)
    let before = try await first.read(20)
    let second = try makeConsumer(broker.servers, group: group, topics: [topic], impatient)
    try await eventually("both own one") { first.assignment.count == 1 && second.assignment.count == 1 }

    first.complete(records: before)
    #expect(first.statistics.staleCompletions == 20)
    let again = try await first.read(10)
    #expect(again.map(\.offset) == Array(0..<10))
    #expect(Set(again.map(\.epoch)).isDisjoint(with: before.map(\.epoch)))
    #expect(try await second.read(10).map(\.offset) == Array(0..<10))
    #expect(first.outstanding == 10)
    await second.close(drain: .zero)
    await first.close(drain: .zero)
    await producer.close()
  }
}
