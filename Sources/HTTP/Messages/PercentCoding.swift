/// Why a path or query could not be decoded. The client must fix its request.
enum PercentDecodingError: Error, Equatable {
  /// A `%` that two hexadecimal digits do not follow.
  case malformedEscape
  /// The decoded bytes are not UTF-8.
  case invalidUTF8
  /// A NUL, or in a path segment an encoded slash: it would change where the path divides.
  case forbiddenCharacter
}

/// Percent-decoding as RFC 3986 has it, strict.
enum PercentCoding {
  /// Decodes one part of a URI.
  ///
  /// - Parameters:
  ///   - plusIsSpace: `true` in a query, where forms write a space so.
  ///   - allowSlash: `false` in a path segment.
  static func decode(
    _ encoded: some Collection<UInt8>, plusIsSpace: Bool, allowSlash: Bool
  ) throws(PercentDecodingError) -> String {
    var decoded: [UInt8] = []
    decoded.reserveCapacity(encoded.count)
    var index = encoded.startIndex
    while index != encoded.endIndex {
      var byte = encoded[index]
      encoded.formIndex(after: &index)
      if byte == UInt8(ascii: "%") {
        var value: UInt8 = 0
        for _ in 0..<2 {
          guard index != encoded.endIndex, let digit = hexDigit(encoded[index]) else { throw .malformedEscape }
          value = value << 4 | digit
          encoded.formIndex(after: &index)
        }
        if value == 0 || (value == UInt8(ascii: "/") && !allowSlash) { throw .forbiddenCharacter }
        byte = value
      } else if byte == UInt8(ascii: "+"), plusIsSpace {
        byte = UInt8(ascii: " ")
      }
      decoded.append(byte)
    }
    guard let string = String(validating: decoded, as: UTF8.self) else { throw .invalidUTF8 }
    return string
  }

  private static func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
