import Foundation
import Kafka
import Testing

/// Memory and descriptors stay flat, against the embedded broker.
@Suite(.embeddedBroker, .serialized)
struct LeakTests {
  @Test func aHundredThousandRecordsLeaveNoMemoryBehind() async throws {
    let broker = try TestBroker.of(.embedded)
    let topic = try await broker.makeTopic(partitions: 2)
    let producer = try makeProducer(broker.servers) { $0.compression = "none" }
    let consumer = try makeConsumer(broker.servers, topics: [topic])
    let header = KafkaHeader(name: "a-header-name-beyond-the-small-form", value: "some value")
    // The embedded broker keeps 5 MB a partition in this process: the first rounds fill that.
    let value = Array(repeating: UInt8(7), count: 400)

    func round(_ number: Int) async throws {
      let records = (0..<2_500).map {
        KafkaRecord(topic: topic, key: Array("\($0)".utf8), value: value, headers: [header], partition: Int32($0 % 2))
      }
      try await producer.deliver(records)
      var left = records.count
      while left > 0 {
        let batch = try #require(await consumer.nextBatch(max: 500, wait: .seconds(10)))
        try #require(!batch.isEmpty)
        left -= batch.count
        consumer.complete(records: batch)
      }
    }

    for number in 0..<14 { try await round(number) }
    let before = Process.residentKilobytes
    for number in 0..<40 { try await round(number) }
    let growth = Process.residentKilobytes - before
    print("100,000 records produced and consumed: resident memory \(before) kB, growth \(growth) kB")
    #expect(growth < 16_000)
    #expect(consumer.outstanding == 0)
    await consumer.close()
    await producer.close()
  }

  @Test func clientsThatComeAndGoLeaveNothingBehind() async throws {
    let broker = try TestBroker.of(.embedded)
    let topic = try await broker.makeTopic(partitions: 1)

    func cycle(closing: Bool) async throws {
      let producer = try makeProducer(broker.servers)
      let consumer = try makeConsumer(broker.servers, topics: [topic])
      let admin = try KafkaAdmin(brokers: broker.servers, clientID: "test-admin")
      try await producer.deliver([record(topic, "0")])
      // One in five is merely dropped.
      guard closing else { return }
      async let first: Void = producer.close()
      async let second: Void = consumer.close(drain: .zero)
      async let third: Void = admin.close()
      _ = await (first, second, third)
    }

    for _ in 0..<10 { try await cycle(closing: true) }
    let (descriptors, threads) = (Process.openDescriptors, Process.threads)
    let before = Process.residentKilobytes
    for number in 0..<50 { try await cycle(closing: number % 5 > 0) }
    try await eventually("dropped clients end by themselves") {
      Process.openDescriptors <= descriptors + 1 && Process.threads <= threads + 1
    }
    let growth = Process.residentKilobytes - before
    print(
      "50 producers, consumers and admins: descriptors \(descriptors) → \(Process.openDescriptors), "
        + "threads \(threads) → \(Process.threads), resident memory growth \(growth) kB")
    #expect(growth < 16_000)
  }
}

extension Process {
  /// Resident memory in kB.
  fileprivate static var residentKilobytes: Int {
    let pages = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ")
    return (pages.flatMap { Int($0[1]) } ?? 0) * 4
  }

  fileprivate static var openDescriptors: Int { entries(of: "/proc/self/fd") }
  fileprivate static var threads: Int { entries(of: "/proc/self/task") }

  private static func entries(of directory: String) -> Int {
    (try? FileManager.default.contentsOfDirectory(atPath: directory).count) ?? 0
  }
}
