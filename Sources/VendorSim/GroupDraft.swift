import Crypto

/// Numbers and idempotency decisions of a group, before it is written.
struct GroupDraft: Sendable {
  struct Line: Sendable {
    let seq: UInt32
    let id: VendorMessageID
    let effective: Bool
  }

  private(set) var lines: [Line] = []

  init(_ group: [Ledger.Pending], _ book: borrowing MessageBook, honour: Bool) {
    var ownKeys: [UUIDBytes: UInt32] = [:]
    lines.reserveCapacity(group.count)
    var seq = book.count
    for pending in group {
      seq += 1
      let first = honour ? pending.key.flatMap { book.effectiveLine(ofKey: $0) ?? ownKeys[$0] } : nil
      if first == nil, let key = pending.key, ownKeys[key] == nil { ownKeys[key] = seq }
      lines.append(
        Line(seq: seq, id: VendorMessageID(ledger: book.ledger, seq: first ?? seq), effective: first == nil))
    }
  }
}
