/// A list in one cell: its elements between semicolons, of which those within elements have a backslash in front, as
/// backslashes have.
public enum CSVList {
  public static func joined(_ elements: [String]) -> String {
    elements.map { $0.replacing("\\", with: "\\\\").replacing(";", with: "\\;") }.joined(separator: ";")
  }

  /// The elements, without white space at their ends; empty ones are none. A backslash in front of anything else is a
  /// backslash.
  public static func elements(_ cell: String) -> [String] {
    guard cell.utf8.contains(UInt8(ascii: "\\")) else { return cell.split(separator: ";").compactMap(trimmed) }
    var elements: [Substring.UnicodeScalarView] = [Substring.UnicodeScalarView()]
    var isEscaped = false
    for scalar in cell.unicodeScalars {
      if isEscaped {
        if scalar != "\\", scalar != ";" { elements[elements.count - 1].append("\\") }
        elements[elements.count - 1].append(scalar)
        isEscaped = false
      } else if scalar == "\\" {
        isEscaped = true
      } else if scalar == ";" {
        elements.append(Substring.UnicodeScalarView())
      } else {
        elements[elements.count - 1].append(scalar)
      }
    }
    if isEscaped { elements[elements.count - 1].append("\\") }
    return elements.compactMap { trimmed(Substring($0)) }
  }

  private static func trimmed(_ text: Substring) -> String? {
    guard let start = text.firstIndex(where: { !$0.isWhitespace }),
      let end = text.lastIndex(where: { !$0.isWhitespace })
    else { return nil }
    return String(text[start...end])
  }
}
