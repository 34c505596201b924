import CRdKafka
import Runtime

/// The outcome of one record, as the delivery report tells it.
struct Delivery: Sendable, Equatable {
  /// `rd_kafka_resp_err_t`, 0 for delivered.
  var code: Int32
  var partition: Int32 = -1
  var offset: Int64 = -1

  /// No report has come yet: a value librdkafka has no error for.
  static let pending = Delivery(code: .min)
  static func failed(_ code: rd_kafka_resp_err_t) -> Delivery { Delivery(code: code.rawValue) }
}

/// The id of a record under way: the number of its batch, and its place there.
///
/// It travels through librdkafka as the message's opaque value, an integer: nothing to retain, nothing to leak when a
/// report never comes.
struct DeliveryID: Sendable, Hashable {
  static let maxBatch = 1 << 20
  let rawValue: UInt64

  init(rawValue: UInt64) { self.rawValue = rawValue }
  init(batch: UInt64, index: Int) { rawValue = batch << 20 | UInt64(index) }

  var batch: UInt64 { rawValue >> 20 }
  var index: Int { Int(rawValue & (1 << 20 - 1)) }
}

/// The batches whose delivery reports are still to come.
///
/// A batch is opened before its first record is handed to librdkafka, so that a report always finds its place; the
/// waiter may arrive before or after the last report.
struct DeliveryTable<Waiter> {
  typealias Finished = (waiter: Waiter, deliveries: [Delivery])

  private struct Batch {
    var deliveries: [Delivery]
    var remaining: Int
    var waiter: Waiter?

    /// True when this outcome completes the batch.
    mutating func settle(_ index: Int, _ delivery: Delivery) -> Bool {
      guard deliveries.indices.contains(index), deliveries[index] == .pending else { return false }
      deliveries[index] = delivery
      remaining -= 1
      return remaining == 0
    }
  }

  private var batches: [UInt64: Batch] = [:]
  private var lastBatch: UInt64 = 0

  /// Batches not yet handed back to their waiter.
  var count: Int { batches.count }

  /// Opens a batch of `count` records, at most `DeliveryID.maxBatch`.
  mutating func open(count: Int) -> UInt64 {
    lastBatch += 1
    batches[lastBatch] = Batch(deliveries: Array(repeating: .pending, count: count), remaining: count, waiter: nil)
    return lastBatch
  }

  /// Notes an outcome; returns the batch's waiter when it was the last one. Unknown ids and second reports are ignored.
  mutating func settle(_ id: DeliveryID, _ delivery: Delivery) -> Finished? {
    guard let slot = batches.index(forKey: id.batch) else { return nil }
    let finished = batches.values[slot].settle(id.index, delivery)
    guard finished, let waiter = batches.values[slot].waiter else { return nil }
    return (waiter, batches.remove(at: slot).value.deliveries)
  }

  /// Leaves a waiter for the batch, or returns the outcomes when they are all there.
  mutating func wait(for batch: UInt64, _ waiter: Waiter) -> [Delivery]? {
    guard let slot = batches.index(forKey: batch) else { return [] }
    guard batches.values[slot].remaining > 0 else { return batches.remove(at: slot).value.deliveries }
    batches.values[slot].waiter = waiter
    return nil
  }

  /// Gives every outstanding record this outcome; returns the waiters that have all their reports now.
  mutating func settleAll(_ delivery: Delivery) -> [Finished] {
    var finished: [Finished] = []
    for batch in batches.keys.sorted() {
      guard let slot = batches.index(forKey: batch) else { continue }
      for index in batches.values[slot].deliveries.indices { _ = batches.values[slot].settle(index, delivery) }
      if let waiter = batches.values[slot].waiter {
        finished.append((waiter, batches.remove(at: slot).value.deliveries))
      }
    }
    return finished
  }
}
