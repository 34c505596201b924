/// Keeps spreadsheets from taking a cell for a formula: CSV injection, as OWASP describes it.
///
/// <https://owasp.org/www-community/attacks/CSV_Injection>. A cell that begins with `=`, `+`, `-`, `@`, a tab or a line break gets an
/// apostrophe in front, unless it is a number. So that reading takes away exactly what writing has added, text that itself
/// begins with apostrophes and one of these gets one more.
public enum FormulaGuard {
  /// The text as it may stand in a cell.
  public static func guarded(_ text: String) -> String { isDangerous(text) ? "'" + text : text }

  /// The text of a cell: the reverse of `guarded`.
  public static func unguarded(_ cell: String) -> String {
    guard cell.utf8.first == apostrophe, beginsFormula(cell.utf8.drop { $0 == apostrophe }) else { return cell }
    return String(cell.unicodeScalars.dropFirst())
  }

  static func isDangerous(_ text: String) -> Bool {
    guard let first = text.utf8.first else { return false }
    if first == apostrophe { return beginsFormula(text.utf8.drop { $0 == apostrophe }) }
    return beginsFormula(text.utf8[...]) && !isNumber(text)
  }

  private static let apostrophe = UInt8(ascii: "'")

  private static func beginsFormula(_ text: Substring.UTF8View) -> Bool {
    switch text.first {
    case UInt8(ascii: "="), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "@"), UInt8(ascii: "\t"),
      UInt8(ascii: "\r"), UInt8(ascii: "\n"):
      true
    default: false
    }
  }

  /// `-12`, `+1.5`, `2e-3`: digits with a sign, a fraction and an exponent at most.
  private static func isNumber(_ text: String) -> Bool {
    var rest = text.utf8[...]
    func digits() -> Bool {
      let count = rest.prefix { (0x30...0x39).contains($0) }.count
      rest = rest.dropFirst(count)
      return count > 0
    }
    func sign() { if rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() } }
    sign()
    guard digits() else { return false }
    if rest.first == UInt8(ascii: ".") {
      rest = rest.dropFirst()
      guard digits() else { return false }
    }
    if rest.first.map({ $0 | 0x20 }) == UInt8(ascii: "e") {
      rest = rest.dropFirst()
      sign()
      guard digits() else { return false }
    }
    return rest.isEmpty
  }
}
