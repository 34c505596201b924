import Crypto

/// What the simulator knows of its messages without reading the ledger: eight bytes a line, and two indexes that lead
/// from a send id and from an idempotency key to lines. Pure.
struct MessageBook: Sendable {
  /// One ledger line. Texts stay on disk.
  struct Record: Sendable, Equatable {
    private static let offsetBits = UInt64(40)
    private static let effectiveBit = UInt64(1) << 63
    private static let keyIsSendIDBit = UInt64(1) << 62
    private static let reportedBit = UInt64(1) << 61

    private var bits: UInt64

    init(offset: UInt64, effective: Bool, keyIsSendID: Bool) {
      bits = offset & (1 << Record.offsetBits - 1)
      if effective { bits |= Record.effectiveBit }
      if keyIsSendID { bits |= Record.keyIsSendIDBit }
    }

    /// Where the line begins in the file; files of up to a terabyte.
    var offset: UInt64 { bits & (1 << Record.offsetBits - 1) }
    var effective: Bool { bits & Record.effectiveBit != 0 }
    /// The line's idempotency key and its send id are the same: it needs no second index entry.
    var keyIsSendID: Bool { bits & Record.keyIsSendIDBit != 0 }
    /// Nothing remains to be done for its receipt.
    var reported: Bool {
      get { bits & Record.reportedBit != 0 }
      set { bits = newValue ? bits | Record.reportedBit : bits & ~Record.reportedBit }
    }
  }

  /// The number that this ledger's vendor ids carry.
  let ledger: UInt32
  private var records: [Record] = []
  private var firstBySend: [UUIDBytes: UInt32] = [:]
  /// Lines of a send id after its first; few, unless somebody repeats calls.
  private var laterBySend: [UUIDBytes: [UInt32]] = [:]
  /// First effective lines of keys that differ from their send id.
  private var firstByKey: [UUIDBytes: UInt32] = [:]

  init(ledger: UInt32) { self.ledger = ledger }

  /// The number of lines, and the sequence number of the last.
  var count: UInt32 { UInt32(records.count) }

  /// - Parameter seq: from 1.
  func record(_ seq: UInt32) -> Record? {
    seq >= 1 && seq <= count ? records[Int(seq) - 1] : nil
  }

  /// The lines of a send id in order.
  func lines(ofSend send: UUIDBytes) -> [UInt32] {
    guard let first = firstBySend[send] else { return [] }
    return [first] + (laterBySend[send] ?? [])
  }

  /// The message that a call under this key made first.
  func effectiveLine(ofKey key: UUIDBytes) -> UInt32? {
    if let seq = firstByKey[key] { return seq }
    guard let first = firstBySend[key] else { return nil }
    if isKeyed(first) { return first }
    return laterBySend[key]?.first(where: isKeyed)
  }

  mutating func append(send: UUIDBytes, key: UUIDBytes?, offset: UInt64, effective: Bool) {
    records.append(Record(offset: offset, effective: effective, keyIsSendID: key == send))
    let seq = count
    if firstBySend[send] == nil {
      firstBySend[send] = seq
    } else {
      laterBySend[send, default: []].append(seq)
    }
    if let key, key != send, effective, firstByKey[key] == nil { firstByKey[key] = seq }
  }

  /// - Returns: false when the line does not exist or was marked before.
  mutating func markReported(_ seq: UInt32) -> Bool {
    guard seq >= 1, seq <= count, !records[Int(seq) - 1].reported else { return false }
    records[Int(seq) - 1].reported = true
    return true
  }

  private func isKeyed(_ seq: UInt32) -> Bool {
    let record = records[Int(seq) - 1]
    return record.effective && record.keyIsSendID
  }
}
