/// Telephone numbers in E.164: a plus and 7 to 15 digits, the first of them not 0.
public enum PhoneNumber {
  /// The number without its separators (spaces, hyphens, dots, parentheses), a leading `00` read as `+`.
  public static func normalise(_ text: String) -> Result<String, FieldProblem> {
    if isNormal(text.utf8) { return .success(text) }
    var digits: [UInt8] = []
    digits.reserveCapacity(16)
    for character in text.unicodeScalars {
      switch character {
      case "0"..."9", "+":
        digits.append(UInt8(truncatingIfNeeded: character.value))
      case " ", "\t", "\u{A0}", "\u{202F}", "-", "\u{2010}", "\u{2011}", "\u{2013}", ".", "(", ")":
        continue
      default:
        return .failure(problem)
      }
      guard digits.count <= 17 else { return .failure(problem) }
    }
    if digits.starts(with: "00".utf8) { digits.replaceSubrange(0..<2, with: CollectionOfOne(UInt8(ascii: "+"))) }
    return isNormal(digits) ? .success(String(decoding: digits, as: UTF8.self)) : .failure(problem)
  }

  private static func isNormal(_ text: some Collection<UInt8>) -> Bool {
    guard (8...16).contains(text.count), text.first == UInt8(ascii: "+") else { return false }
    let digits = text.dropFirst()
    return digits.first != UInt8(ascii: "0")
      && digits.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
  }

  private static let problem = FieldProblem(
    "invalid_phone", "must be an international number: + and 7 to 15 digits, such as +14155550123")
}
