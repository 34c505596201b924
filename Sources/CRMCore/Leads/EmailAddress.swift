/// The e-mail addresses that a lead may have: RFC 5321's mailbox without quoted local parts, address literals and
/// non-ASCII letters, which hardly any vendor delivers to.
public enum EmailAddress {
  /// Trimmed and in lower case, or what is wrong with it.
  public static func normalise(_ text: String) -> Result<String, FieldProblem> {
    let trimmed = text.trimmed
    // RFC 5321, 4.5.3.1.3: a path is at most 256 octets, its two angle brackets included.
    guard trimmed.utf8.count <= 254 else {
      return .failure(FieldProblem("too_long", "must have at most 254 characters"))
    }
    let isValid = trimmed.utf8.withContiguousStorageIfAvailable(isMailbox) ?? isMailbox(Array(trimmed.utf8))
    guard isValid else { return .failure(FieldProblem("invalid_email", "is not a valid e-mail address")) }
    // A valid address is ASCII; nearly all of them come in lower case.
    return .success(trimmed.utf8.contains(where: isCapital) ? trimmed.lowercased() : trimmed)
  }

  private static func isMailbox(_ bytes: some RandomAccessCollection<UInt8>) -> Bool {
    guard let at = bytes.lastIndex(of: UInt8(ascii: "@")) else { return false }
    return isLocalPart(bytes[..<at]) && isDomain(bytes[bytes.index(after: at)...])
  }

  /// Atoms separated by single dots.
  private static func isLocalPart(_ bytes: some RandomAccessCollection<UInt8>) -> Bool {
    guard (1...64).contains(bytes.count) else { return false }
    var afterDot = true
    for byte in bytes {
      if byte == UInt8(ascii: ".") {
        if afterDot { return false }
        afterDot = true
      } else if isAtomCharacter(byte) {
        afterDot = false
      } else {
        return false
      }
    }
    return !afterDot
  }

  /// At least two labels; the last has a letter, so that an IP address is none.
  private static func isDomain(_ bytes: some RandomAccessCollection<UInt8>) -> Bool {
    var labels = 0
    var length = 0
    var hasLetter = false
    var last = UInt8(ascii: ".")
    func endsLabel() -> Bool { (1...63).contains(length) && last != UInt8(ascii: "-") }
    for byte in bytes {
      if byte == UInt8(ascii: ".") {
        guard endsLabel() else { return false }
        labels += 1
        length = 0
        hasLetter = false
      } else {
        guard isLetter(byte) || isDigit(byte) || byte == UInt8(ascii: "-") && length > 0 else { return false }
        length += 1
        hasLetter = hasLetter || isLetter(byte)
      }
      last = byte
    }
    return labels >= 1 && endsLabel() && hasLetter
  }

  private static func isCapital(_ byte: UInt8) -> Bool { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) }

  private static func isLetter(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

  /// RFC 5322's `atext`.
  private static func isAtomCharacter(_ byte: UInt8) -> Bool {
    if isLetter(byte) || isDigit(byte) { return true }
    switch byte {
    case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"), UInt8(ascii: "&"),
      UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "/"),
      UInt8(ascii: "="), UInt8(ascii: "?"), UInt8(ascii: "^"), UInt8(ascii: "_"), UInt8(ascii: "`"),
      UInt8(ascii: "{"), UInt8(ascii: "|"), UInt8(ascii: "}"), UInt8(ascii: "~"):
      return true
    default:
      return false
    }
  }
}
