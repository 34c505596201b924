/// The keys at the root of a document that rules can name, each with a number: its slot.
enum DocumentLayout {
  case lead, order
  /// What a lead's orders amount to: see `RuleField.measure`.
  case measure

  var keys: [String] {
    switch self {
    case .lead:
      [
        "name", "emails", "phones", "tags", "total_spend", "visits", "last_order_at", "created_at", "updated_at",
        "opted_out", "metadata", "order_totals",
      ]
    case .order: ["order_no", "currency", "ordered_at", "amount", "items"]
    case .measure: ["value"]
    }
  }

  /// Slots of the widest layout.
  static let slots = 12

  func slot(of key: String) -> Int { keys.firstIndex(of: key) ?? 0 }
}

/// Keys of a layout to look for in a document, ready to be compared a machine word at a time.
struct SlotKeys: Sendable {
  private struct Key: Sendable {
    let slot: Int
    let count: Int
    /// The key's bytes, at most 16, filled up with zeros.
    let words: (UInt64, UInt64)
  }

  private let keys: [Key]

  /// Every key of a layout.
  init(_ layout: DocumentLayout) { self.init(layout, slots: Array(layout.keys.indices)) }

  init(_ layout: DocumentLayout, slots: [Int]) {
    let names = layout.keys
    keys = slots.map { slot in
      let bytes = Array(names[slot].utf8)
      return bytes.withUnsafeBytes { key in
        Key(slot: slot, count: bytes.count, words: Self.words(key, 0..<bytes.count))
      }
    }
  }

  var count: Int { keys.count }

  /// The slot of the key that lies at `range`; nil when it is not looked for.
  @inline(__always)
  func slot(of range: Range<Int>, in bytes: UnsafeRawBufferPointer) -> Int? {
    guard range.count <= 16 else { return nil }
    let words = Self.words(bytes, range)
    for key in keys where key.count == range.count && key.words == words { return key.slot }
    return nil
  }

  @inline(__always)
  private static func words(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> (UInt64, UInt64) {
    let start = range.lowerBound
    let low = word(bytes, start, min(range.count, 8))
    return (low, range.count > 8 ? word(bytes, start + 8, range.count - 8) : 0)
  }

  /// Up to eight bytes as a number, the first in its lowest byte.
  @inline(__always)
  private static func word(_ bytes: UnsafeRawBufferPointer, _ start: Int, _ count: Int) -> UInt64 {
    if start + 8 <= bytes.count {
      let whole = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: start, as: UInt64.self))
      return count == 8 ? whole : whole & ((1 &<< UInt64(8 &* count)) &- 1)
    }
    var word: UInt64 = 0
    for index in 0..<count { word |= UInt64(bytes[start + index]) &<< UInt64(8 &* index) }
    return word
  }
}
