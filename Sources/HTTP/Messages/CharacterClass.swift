/// A set of bytes, tested with one look-up. The sets are those of RFC 9110 and RFC 3986.
struct CharacterClass: Sendable {
  // Four words rather than an array: no bounds check and no reference to follow in the loop over a request's head.
  private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

  private init(_ isMember: (UInt8) -> Bool) {
    for byte in UInt8.min...UInt8.max where isMember(byte) {
      let bit = UInt64(1) << UInt64(byte & 63)
      switch byte >> 6 {
      case 0: words.0 |= bit
      case 1: words.1 |= bit
      case 2: words.2 |= bit
      default: words.3 |= bit
      }
    }
  }

  @inline(__always)
  func contains(_ byte: UInt8) -> Bool {
    let word =
      switch byte >> 6 {
      case 0: words.0
      case 1: words.1
      case 2: words.2
      default: words.3
      }
    return word >> UInt64(byte & 63) & 1 == 1
  }

  /// `token`: methods and header names.
  static let token = CharacterClass { isAlphanumeric($0) || "!#$%&'*+-.^_`|~".utf8.contains($0) }

  /// What a header value may hold: visible characters, space, tab, and bytes from 0x80.
  static let fieldValue = CharacterClass { $0 == 0x09 || ($0 >= 0x20 && $0 != 0x7F) }

  /// What a request target may hold: the characters of a URI without a fragment, still percent-encoded.
  static let target = CharacterClass { isAlphanumeric($0) || "-._~:/?[]@!$&'()*+,;=%".utf8.contains($0) }

  /// `X-Request-Id` values that are taken over from the client.
  static let requestID = CharacterClass { isAlphanumeric($0) || "._-".utf8.contains($0) }

  /// Host names, IPv6 literals and ports.
  static let host = CharacterClass { isAlphanumeric($0) || "-._~!$&'()*+,;=:[]%".utf8.contains($0) }

  static func isAlphanumeric(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "a")...UInt8(ascii: "z"):
      true
    default: false
    }
  }

  @inline(__always)
  static func lowercased(_ byte: UInt8) -> UInt8 {
    byte &- 0x41 < 26 ? byte | 0x20 : byte
  }
}
