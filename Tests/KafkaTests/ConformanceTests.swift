import Foundation
import Kafka
import Testing

/// What the wrapper promises, against the embedded broker and, where there is one, against Apache Kafka.
@Suite(.brokers)
struct ConformanceTests {
  @Test(arguments: TestBroker.Kind.available)
  func recordsComeBackAsTheyWere(_ kind: TestBroker.Kind) async throws {
    let broker = try TestBroker.of(kind)
    let topic = try await broker.makeTopic(partitions: 1)
    let producer = try makeProducer(broker.servers)
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

    let consumer = try makeConsumer(broker.servers, topics: [topic])
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
  func aRecordThatIsTooLargeIsRefusedAndTheOthersAreDelivered(_ kind: TestBroker.Kind) async throws {
    let broker = try TestBroker.of(kind)
    let topic = try await broker.makeTopic(partitions: 1)
    let producer = try makeProducer(broker.servers)
    let large = KafkaRecord(topic: topic, value: Array(repeating: 1, count: 1_100_000))
    let results = await producer.produce([record(topic, "before"), large, record(topic, "after")])
    #expect(try results[0].get().offset == 0)
    #expect(throws: KafkaError.self) { try results[1].get() }
    if case .failure(let error) = results[1] { #expect(error.kind == .messageTooLarge) }
    #expect(try results[2].get().offset == 1)
    await producer.close()
  }

  @Test(arguments: TestBroker.Kind.available)
  func recordsOfManyTasksAreAllDeliveredAndKeysKeepTheirOrder(_ kind: TestBroker.Kind) async throws {
    let broker = try TestBroker.of(kind)
    let topic = try await broker.makeTopic(partitions: 4)
    let producer = try makeProducer(broker.servers)
    let reports = try await withThrowingTaskGroup(of: [DeliveryReport].self) { group in
      for task in 0..<50 {
        group.addTask {
          let records = (0..<20).map { record(topic, key: "key-\(task)", "\($0)") }
          return try await producer.produce(records).map { try $0.get() }
        }
      }
      return try await group.reduce(into: [[DeliveryReport]]()) { $0.append($1) }
    }
    #expect(Set(reports.joined()).count == 1000)
    for key in reports {
      #expect(Set(key.map(\.partition)).count == 1)
      #expect(key.map(\.offset) == key.map(\.offset).sorted())
    }
    #expect(producer.queuedRecords == 0)
    await producer.close()
  }

  @Test(arguments: TestBroker.Kind.available)
  func aRestartResumesAtTheLowestRecordNotCompleted(_ kind: TestBroker.Kind) async throws {
    let broker = try TestBroker.of(kind)
    let topic = try await broker.makeTopic(partitions: 1)
    let producer = try makeProducer(broker.servers)
    try await producer.deliver(numbered(topic, 0..<10, partitions: 1))
    let group = "group-\(UUID().uuidString)"

    let first = try makeConsumer(broker.servers, group: group, topics: [topic])
    let read = try await first.read(10)
    for number in [9, 2, 0, 5, 1] { first.complete(records: [read[number]]) }
    #expect(first.outstanding == 5)
    await first.close(drain: .zero)

    let second = try makeConsumer(broker.servers, group: group, topics: [topic])
    #expect(try await second.read(7).map(\.offset) == [3, 4, 5, 6, 7, 8, 9])
    await second.close(drain: .zero)
    await producer.close()
  }

  @Test(arguments: TestBroker.Kind.available)
  func completedRecordsAreCommittedWhileTheConsumerRuns(_ kind: TestBroker.Kind) async throws {
    let broker = try TestBroker.of(kind)
    let topic = try await broker.makeTopic(partitions: 2)
    let producer = try makeProducer(broker.servers)
    try await producer.deliver(numbered(topic, 0..<20, partitions: 2))
    let group = "group-\(UUID().uuidString)"
    let consumer = try makeConsumer(broker.servers, group: group, topics: [topic])
    let read = try await consumer.read(20)
    consumer.complete(records: read.filter { $0.partition == 0 })
    consumer.complete(records: read.filter { $0.partition == 1 && $0.offset < 4 })

    let admin = try KafkaAdmin(brokers: broker.servers, clientID: "test-admin")
    try await eventually("the watermarks are committed") {
      try await admin.groupLag(group: group, topics: [topic, "no-such-topic"]) == [
        PartitionLag(topic: topic, partition: 0, committed: 10, end: 10, lag: 0),
        PartitionLag(topic: topic, partition: 1, committed: 4, end: 10, lag: 6),
      ]
    }
    #expect(await consumer.lag().map(\.lag) == [0, 6])
    let strangers = try await admin.groupLag(group: "group-\(UUID().uuidString)", topics: [topic])
    #expect(strangers.map(\.committed) == [nil, nil] && strangers.map(\.lag) == [10, 10])
    await consumer.close(drain: .zero)
    await producer.close()
    await admin.close()
  }

  @Test(arguments: TestBroker.Kind.available)
  func intakeStopsAtTheHighWaterMarkAndResumes(_ kind: TestBroker.Kind) async throws {
    let broker = try TestBroker.of(kind)
    let topic = try await broker.makeTopic(partitions: 2)
    let producer = try makeProducer(broker.servers)
    // A partition yields its first record whatever is outstanding.
    try await producer.deliver(numbered(topic, 0..<2, partitions: 2))
    let consumer = try makeConsumer(broker.servers, topics: [topic]) { $0.highWater = 100 }
    let first = try await consumer.read(2)
    consumer.complete(records: first)
    try await producer.deliver(numbered(topic, 2..<1000, partitions: 2))
    let held = try await consumer.read(100)
    try await eventually("intake is paused") { consumer.statistics.paused }
    #expect(await consumer.nextBatch(max: 10, wait: .milliseconds(300)) == [])
    #expect(consumer.outstanding == 100)

    consumer.complete(records: held)
    let tally = Tally()
    tally.note(first + held)
    let worker = work(consumer, tally, holding: .zero)
    try await eventually("everything is seen, once") { tally.distinct == 1000 && tally.total == 1000 }
    #expect(!consumer.statistics.paused)
    await consumer.close()
    await worker.value
    await producer.close()
  }

  @Test(arguments: TestBroker.Kind.available)
  func theApplicationCanPauseIntake(_ kind: TestBroker.Kind) async throws {
    let broker = try TestBroker.of(kind)
    let topic = try await broker.makeTopic(partitions: 1)
    let producer = try makeProducer(broker.servers)
    let consumer = try makeConsumer(broker.servers, topics: [topic])
    // Before the assignment, so that new partitions have to come up paused too.
    consumer.pause()
    try await eventually("the partition is assigned") { consumer.assignment.count == 1 }
    try await producer.deliver([record(topic, "0")])
    #expect(await consumer.nextBatch(max: 1, wait: .milliseconds(500)) == [])
    consumer.resume()
    let read = try await consumer.read(1)
    consumer.complete(records: read)
    await consumer.close()
    await producer.close()
  }

  @Test(arguments: TestBroker.Kind.available)
  func aTopicThatComesLaterIsReadFromItsBeginning(_ kind: TestBroker.Kind) async throws {
    let broker = try TestBroker.of(kind)
    let topic = "late-\(UUID().uuidString)"
    let consumer = try makeConsumer(broker.servers, topics: [topic])
    #expect(await consumer.nextBatch(max: 1, wait: .milliseconds(300)) == [])
    let producer = try makeProducer(broker.servers)
    // The embedded broker creates a topic that is asked for; on Kafka somebody has to.
    if kind == .real { try await broker.create(topic: topic, partitions: 1) }
    try await producer.deliver([record(topic, "0")])
    #expect(try await consumer.read(1).map(\.number) == [0])
    #expect(consumer.health.fatalError == nil)
    await consumer.close(drain: .zero)
    await producer.close()
  }

  @Test(arguments: TestBroker.Kind.available)
  func closingWithRecordsOutstandingTakesNoLongerThanTheDrain(_ kind: TestBroker.Kind) async throws {
    let broker = try TestBroker.of(kind)
    let topic = try await broker.makeTopic(partitions: 1)
    let producer = try makeProducer(broker.servers)
    try await producer.deliver(numbered(topic, 0..<5, partitions: 1))
    let consumer = try makeConsumer(broker.servers, topics: [topic])
    let read = try await consumer.read(5)
    async let waiting = consumer.nextBatch(max: 1, wait: .seconds(30))
    let start = ContinuousClock.now
    await consumer.close(drain: .milliseconds(300))
    #expect(ContinuousClock.now - start >= .milliseconds(300))
    #expect(ContinuousClock.now - start < .seconds(5))
    #expect(await waiting == nil)
    #expect(await consumer.nextBatch(max: 1, wait: .seconds(30)) == nil)
    consumer.complete(records: read)
    await consumer.close()
    #expect(throws: KafkaError.self) { try consumer.start() }
    await producer.close()
  }

  @Test(arguments: TestBroker.Kind.available)
  func closingInTheMidstOfAFlowOfRecordsEndsInOrder(_ kind: TestBroker.Kind) async throws {
    let broker = try TestBroker.of(kind)
    let topic = try await broker.makeTopic(partitions: 4)
    let producer = try makeProducer(broker.servers)
    for start in stride(from: 0, to: 8000, by: 2000) {
      try await producer.deliver(numbered(topic, start..<start + 2000, partitions: 4))
    }
    for _ in 0..<6 {
      let consumer = try makeConsumer(broker.servers, topics: [topic])
      _ = try await consumer.read(1)
      await consumer.close(drain: .zero)
    }
    await producer.close()
  }

  @Test(arguments: TestBroker.Kind.available)
  func closingWaitsForTheRecordsThatAreHandedOut(_ kind: TestBroker.Kind) async throws {
    let broker = try TestBroker.of(kind)
    let topic = try await broker.makeTopic(partitions: 1)
    let producer = try makeProducer(broker.servers)
    try await producer.deliver(numbered(topic, 0..<5, partitions: 1))
    let group = "group-\(UUID().uuidString)"
    let consumer = try makeConsumer(broker.servers, group: group, topics: [topic])
    let read = try await consumer.read(3)
    async let closed: Void = consumer.close(drain: .seconds(20))
    try await Task.sleep(for: .milliseconds(200))
    consumer.complete(records: read)
    let start = ContinuousClock.now
    await closed
    #expect(ContinuousClock.now - start < .seconds(5))
    let admin = try KafkaAdmin(brokers: broker.servers, clientID: "test-admin")
    #expect(try await admin.groupLag(group: group, topics: [topic]).map(\.committed) == [3])
    await admin.close()
    await producer.close()
  }

  @Test(arguments: TestBroker.Kind.available)
  func topicsAreCreatedOnceAndListed(_ kind: TestBroker.Kind) async throws {
    let broker = try TestBroker.of(kind)
    let admin = try KafkaAdmin(brokers: broker.servers, clientID: "test-admin")
    try await admin.ping()
    let name = "made-\(UUID().uuidString)"
    let topics = [TopicSpec(name: name, partitions: 3, config: ["retention.ms": "60000"])]
    let made = try await admin.createTopics(topics)
    if kind == .real {
      #expect(made == [TopicCreation(name: name, outcome: .created)])
      #expect(try await admin.createTopics(topics) == [TopicCreation(name: name, outcome: .exists)])
    } else {
      guard case .failed(let error) = made.first?.outcome else {
        Issue.record("\(made)")
        return
      }
      #expect(error.kind == .unsupported)
      try await broker.create(topic: name, partitions: 3)
    }
    try await eventually("the topic is listed") {
      try await admin.metadata(topic: name).topics == [name: [0, 1, 2]]
    }
    #expect(try await admin.metadata().topics[name] == [0, 1, 2])
    let refused = try await admin.createTopics([TopicSpec(name: "bad", partitions: 0)])
    #expect(!refused[0].isUsable)
    await admin.close()
    await #expect(throws: KafkaError.self) { try await admin.ping() }
  }
}
