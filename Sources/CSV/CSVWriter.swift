/// Writes CSV by RFC 4180: commas, CR LF, quotes where they are needed; UTF-8 without a byte order mark.
public struct CSVWriter: Sendable {
  /// What has been written and not taken.
  public private(set) var bytes: [UInt8] = []
  private var isAtRowStart = true
  private var isLoneEmptyField = false

  public init(reservingCapacity capacity: Int = 0) { bytes.reserveCapacity(capacity) }

  /// Text from wherever: guarded against being taken for a formula.
  public mutating func field(_ text: String) {
    let guarded = FormulaGuard.guarded(text)
    write(guarded, quoted: guarded.utf8.count > text.utf8.count)
  }

  /// A field that is not there.
  public mutating func field(_ text: String?) { if let text { field(text) } else { write("") } }

  /// A number, a time, an id: what this program has made itself.
  public mutating func plain(_ text: String?) { write(text ?? "") }

  public mutating func endRow() {
    // A line without anything would be none.
    if isLoneEmptyField { bytes += [UInt8(ascii: "\""), UInt8(ascii: "\"")] }
    bytes += [UInt8(ascii: "\r"), UInt8(ascii: "\n")]
    isAtRowStart = true
    isLoneEmptyField = false
  }

  /// What has been written, of which nothing is kept.
  public mutating func take() -> [UInt8] {
    defer { bytes = [] }
    return bytes
  }

  private mutating func write(_ text: String, quoted: Bool = false) {
    if !isAtRowStart { bytes.append(UInt8(ascii: ",")) }
    isLoneEmptyField = isAtRowStart && text.isEmpty
    isAtRowStart = false
    let quote = UInt8(ascii: "\"")
    let isSpecial = text.utf8.contains { byte in
      byte == quote || byte == UInt8(ascii: ",") || byte == UInt8(ascii: ";") || byte < 0x20
    }
    guard quoted || isSpecial else { return bytes.append(contentsOf: text.utf8) }
    bytes.append(quote)
    for byte in text.utf8 {
      if byte == quote { bytes.append(quote) }
      bytes.append(byte)
    }
    bytes.append(quote)
  }
}
