import CRMCore
import CRMMessaging
import CivilTime
import Crypto
import Foundation
import JSON
import Kafka
import Runtime
import Synchronization

/// Everything that was ever told of each send: the auditor's own reading of the outcome and receipt topics, from their
/// beginning, in a group of its own.
final class EvidenceLog: Sendable {
  struct Entry: Sendable {
    let offset: Int64
    let send: UUIDBytes
    let status: SendStatus
  }

  private struct State {
    var highest: [UUIDBytes: SendStatus] = [:]
    var entries: [TopicPartition: [Entry]] = [:]
    var next: [TopicPartition: Int64] = [:]
  }

  private let consumer: KafkaConsumer
  private let state = Mutex(State())
  private let task = Mutex<Task<Void, Never>?>(nil)

  static let topics = [Topic.statusUpdates.name, Topic.receipts.name]

  init(brokers: String) throws {
    var configuration = KafkaConsumerConfiguration(
      brokers: brokers, groupID: "chaos-auditor-\(UUIDBytes().string)", clientID: "chaos-auditor", topics: Self.topics)
    configuration.highWater = 50_000
    consumer = try KafkaConsumer(configuration)
  }

  func start() throws {
    try consumer.start()
    let reading = Task { [self] in
      while let batch = await consumer.nextBatch(max: 1000, wait: .seconds(1)) {
        take(batch)
        consumer.complete(batch.map(\.position))
      }
    }
    task.withLock { $0 = reading }
  }

  func close() async {
    await consumer.close(drain: .seconds(1))
    await task.withLock { $0 }?.value
  }

  private func take(_ batch: [ConsumedRecord]) {
    let told: [(TopicPartition, Int64, UUIDBytes, SendStatus)?] = batch.map { record in
      let place = TopicPartition(topic: record.topic, partition: record.partition)
      guard let value = record.value else { return nil }
      if record.topic == Topic.receipts.name {
        guard let receipt = try? DeliveryReceipt.decode(value) else { return nil }
        return (place, record.offset, receipt.sendID, receipt.status)
      }
      guard let update = try? StatusUpdate.decode(value) else { return nil }
      return (place, record.offset, update.sendID, update.status)
    }
    state.withLock { state in
      for (record, told) in zip(batch, told) {
        let place = TopicPartition(topic: record.topic, partition: record.partition)
        // A topic that was made anew begins at 0 again: what was told before stays told.
        if record.offset < state.next[place, default: 0] { state.entries[place] = [] }
        state.next[place] = record.offset + 1
        guard let (_, offset, send, status) = told else { continue }
        state.entries[place, default: []].append(Entry(offset: offset, send: send, status: status))
        state.highest[send] = max(state.highest[send] ?? .pending, status)
      }
    }
  }

  /// The highest state that anything has shown for a send.
  func highest(_ send: UUIDBytes) -> SendStatus? { state.withLock { $0.highest[send] } }

  /// Entries of a partition from an offset on and below another one.
  func entries(_ place: TopicPartition, from low: Int64, below high: Int64) -> [Entry] {
    state.withLock { state in
      (state.entries[place] ?? []).filter { $0.offset >= low && $0.offset < high }
    }
  }

  /// The offset up to which a partition has been read.
  func position(_ place: TopicPartition) -> Int64 { state.withLock { $0.next[place] ?? 0 } }
}

/// The vendor's ledger, read from its file as it grows: the oracle of what was sent.
final class LedgerTail: Sendable {
  struct Sends: Sendable {
    /// Lines that sent a message.
    var effective = 0
    /// Lines in all.
    var calls = 0
  }

  private struct State {
    var offset: UInt64 = 0
    var sends: [UUIDBytes: Sends] = [:]
    /// Milliseconds since 1970 of each effective line.
    var times: [Int64] = []
    var unreadable = 0
  }

  private let path: String
  private let state = Mutex(State())

  init(path: String) { self.path = path }

  /// Reads what has been added. Blocking, and short.
  func refresh() {
    state.withLock { state in
      guard let file = FileHandle(forReadingAtPath: path) else { return }
      defer { try? file.close() }
      try? file.seek(toOffset: state.offset)
      let data = (try? file.readToEnd()) ?? Data()
      guard let end = data.lastIndex(of: 0x0A) else { return }
      let whole = data[...end]
      state.offset += UInt64(whole.count)
      for line in whole.split(separator: 0x0A) {
        guard let entry = try? JSONValue.parse([UInt8](line)), let text = entry["send_id"]?.stringValue,
          let send = UUIDBytes(text)
        else {
          state.unreadable += 1
          continue
        }
        state.sends[send, default: Sends()].calls += 1
        guard entry["effective"]?.boolValue == true else { continue }
        state.sends[send, default: Sends()].effective += 1
        if let at = entry["at"]?.stringValue.flatMap({ Timestamp(rfc3339: $0) }) { state.times.append(at.milliseconds) }
      }
    }
  }

  var sends: [UUIDBytes: Sends] { state.withLock { $0.sends } }
  var times: [Int64] { state.withLock { $0.times } }
  var unreadable: Int { state.withLock { $0.unreadable } }
}
