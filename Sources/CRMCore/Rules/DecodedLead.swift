import BSON

/// A lead decoded for rules: every field that they can name is found once, whatever the number of rules that ask for it.
///
/// Numbers, dates and booleans are at hand; texts, lists and metadata stay where they lie in the document's bytes, which
/// it shares. Any document can be one: what a field should not hold fulfils no comparison.
public struct DecodedLead: Sendable {
  let fields: DecodedFields

  public init(_ lead: BSONDocument) { fields = DecodedFields(lead, Self.keys) }

  private static let keys = SlotKeys(.lead)
}

/// A document with the values of the keys that were looked for, each in its slot.
struct DecodedFields: Sendable {
  let bytes: [UInt8]
  private(set) var cells = InlineArray<11, BSONCell>(repeating: .missing)

  /// Of a key that is there twice, the first counts, as everywhere.
  init(_ document: BSONDocument, _ keys: SlotKeys) {
    bytes = document.bytes
    bytes.withUnsafeBytes { bytes in
      var elements = RawElements(bytes, at: 0..<bytes.count)
      var found = 0
      var left = keys.count
      while left > 0, let element = elements.next() {
        guard let slot = keys.slot(of: element.key, in: bytes), found & (1 &<< slot) == 0 else { continue }
        cells[slot] = BSONCell(element, in: bytes)
        found |= 1 &<< slot
        left -= 1
      }
    }
  }
}
