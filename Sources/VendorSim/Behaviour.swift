import CRMCore
import JSON

/// How the simulator behaves; what `GET /v1/behaviour` shows and `PUT` changes.
struct Behaviour: Sendable, Equatable {
  struct Receipts: Sendable, Equatable {
    /// Share of messages whose receipt is never sent.
    var dropRate = 0.0
    /// How often each receipt is sent; 1 is the honest number.
    var duplicate = 1
    /// Receipts wait up to a second longer each, so that they arrive in an order of their own.
    var shuffle = false
    /// Receipts are sent before the call that they belong to is answered.
    var early = false
  }

  /// Share of messages whose receipt says FAILED.
  var failureRate = 0.1
  /// From the answer to the receipt, in milliseconds: uniform between the two.
  var delayMS = [50, 200]
  /// What `POST /v1/messages` is answered with. Beyond 299 nothing is accepted.
  var acceptStatus = 202
  /// How long the answer to an accepted message takes.
  var acceptDelayMS = 0
  /// Share of calls that are neither accepted nor answered.
  var hangRate = 0.0
  /// Share of calls that are accepted, written to the ledger, and not answered.
  var acceptThenTimeoutRate = 0.0
  /// Every call of the message API is answered 503.
  var outage = false
  var receipts = Receipts()
  /// Whether a repeated `Idempotency-Key` gets the first answer again instead of a second message.
  var honourIdempotencyKey = true

  var jsonValue: JSONValue {
    [
      "failure_rate": .double(failureRate), "delay_ms": .array(delayMS.map { .int(Int64($0)) }),
      "accept_status": .int(Int64(acceptStatus)), "accept_delay_ms": .int(Int64(acceptDelayMS)),
      "hang_rate": .double(hangRate), "accept_then_timeout_rate": .double(acceptThenTimeoutRate),
      "outage": .bool(outage),
      "receipts": [
        "drop_rate": .double(receipts.dropRate), "duplicate": .int(Int64(receipts.duplicate)),
        "shuffle": .bool(receipts.shuffle), "early": .bool(receipts.early),
      ],
      "honour_idempotency_key": .bool(honourIdempotencyKey),
    ]
  }

  /// This behaviour with the keys that `change` names changed.
  ///
  /// - Throws: `ValidationError` with everything that is wrong; nothing is changed then.
  func changed(by change: JSONValue) throws(ValidationError) -> Behaviour {
    var new = self
    var reader = ObjectReader(change)
    if let rate = reader.number("failure_rate", in: 0...1) { new.failureRate = rate }
    if let delays = reader.delays("delay_ms") { new.delayMS = delays }
    if let status = reader.integer("accept_status", in: 200...599) { new.acceptStatus = Int(status) }
    if let delay = reader.integer("accept_delay_ms", in: Behaviour.delayRange) { new.acceptDelayMS = Int(delay) }
    if let rate = reader.number("hang_rate", in: 0...1) { new.hangRate = rate }
    if let rate = reader.number("accept_then_timeout_rate", in: 0...1) { new.acceptThenTimeoutRate = rate }
    if let outage = reader.bool("outage") { new.outage = outage }
    if let receipts = reader.nested("receipts", { receipts.changed(by: &$0) }) { new.receipts = receipts }
    if let honour = reader.bool("honour_idempotency_key") { new.honourIdempotencyKey = honour }
    if let error = ValidationError(reader.finish()) { throw error }
    return new
  }

  /// Milliseconds that anything may be told to wait.
  static let delayRange: ClosedRange<Int64> = 0...600_000
}

extension Behaviour.Receipts {
  fileprivate func changed(by reader: inout ObjectReader) -> Behaviour.Receipts {
    var new = self
    if let rate = reader.number("drop_rate", in: 0...1) { new.dropRate = rate }
    if let copies = reader.integer("duplicate", in: 1...10) { new.duplicate = Int(copies) }
    if let shuffle = reader.bool("shuffle") { new.shuffle = shuffle }
    if let early = reader.bool("early") { new.early = early }
    return new
  }
}

extension ObjectReader {
  /// `[lowest, highest]` in milliseconds.
  fileprivate mutating func delays(_ key: String) -> [Int]? {
    guard let elements = array(key, count: 2...2) else { return nil }
    let numbers = elements.compactMap(\.intValue).filter(Behaviour.delayRange.contains).map { Int($0) }
    guard numbers.count == 2, numbers[0] <= numbers[1] else {
      let limit = Behaviour.delayRange.upperBound
      reject(key, FieldProblem("out_of_range", "must be [lowest, highest], two integers between 0 and \(limit)"))
      return nil
    }
    return numbers
  }
}

/// The behaviours that applied, each from a sequence number on, so that what becomes of a message can be told again
/// after a restart.
struct BehaviourHistory: Sendable {
  private var changes: [(from: UInt32, behaviour: Behaviour)] = [(0, Behaviour())]

  /// What applies to the next message.
  var current: Behaviour { changes[changes.count - 1].behaviour }

  var entries: [(from: UInt32, behaviour: Behaviour)] { changes }

  /// Applies from `seq` on. A change that no message has seen is replaced, so the history is never longer than the
  /// ledger.
  mutating func change(to behaviour: Behaviour, from seq: UInt32) {
    while let last = changes.last, last.from >= seq, changes.count > 1 { changes.removeLast() }
    changes.append((seq, behaviour))
  }

  /// What applied to the message of that sequence number.
  func behaviour(at seq: UInt32) -> Behaviour {
    var low = 0
    var high = changes.count - 1
    while low < high {
      let middle = (low + high + 1) / 2
      if changes[middle].from <= seq { low = middle } else { high = middle - 1 }
    }
    return changes[low].behaviour
  }
}
