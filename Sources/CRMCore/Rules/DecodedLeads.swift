import BSON

/// Leads decoded for rules, side by side: every field that rules can name is found once, whatever the number of rules that
/// ask for it.
///
/// Numbers, dates and booleans are at hand; texts, lists and metadata stay as they lie in the documents' bytes, which are
/// kept in one piece, so that going through many leads counts no references. Any document can be one: what a field should
/// not hold fulfils no comparison.
public struct DecodedLeads: Sendable {
  /// The documents, one behind the other.
  private(set) var bytes: [UInt8] = []
  /// Of each lead, a cell for each slot of the layout.
  private(set) var cells: [BSONCell] = []

  public init() {}

  public init(_ leads: [BSONDocument]) {
    bytes.reserveCapacity(leads.reduce(0) { $0 + $1.bytes.count })
    cells.reserveCapacity(leads.count * DocumentLayout.slots)
    for lead in leads { append(lead) }
  }

  public var count: Int { cells.count / DocumentLayout.slots }

  public mutating func append(_ lead: BSONDocument) {
    let start = bytes.count
    bytes += lead.bytes
    var found = SlotKeys.Cells(repeating: .missing)
    bytes.withUnsafeBytes { Self.keys.fill(&found, from: $0, at: start..<$0.count) }
    for slot in found.indices { cells.append(found[slot]) }
  }

  private static let keys = SlotKeys(.lead)
}

extension SlotKeys {
  /// The value of each key, in its slot; missing where there is none.
  typealias Cells = InlineArray<12, BSONCell>

  /// Reads the elements at a document's root until every key has been found. Of a key that is there twice, the first
  /// counts, as everywhere.
  ///
  /// - Parameter range: of the document within the bytes, from whose start places are counted.
  @inline(__always)
  func fill(_ cells: inout Cells, from bytes: UnsafeRawBufferPointer, at range: Range<Int>) {
    var elements = RawElements(bytes, at: range)
    var found = 0
    var left = count
    while left > 0, let element = elements.next() {
      guard let slot = slot(of: element.key, in: bytes), found & (1 &<< slot) == 0 else { continue }
      cells[slot] = BSONCell(element, in: bytes)
      found |= 1 &<< slot
      left -= 1
    }
  }
}
