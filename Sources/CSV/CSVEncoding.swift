/// How the letters of a CSV text are written as bytes.
public enum CSVEncoding: Sendable, Hashable {
  case utf8
  /// ISO 8859-1, read as Windows-1252, as browsers do: the same letters, with "€" and a few others in place of control
  /// characters (WHATWG Encoding Standard, label `latin1`).
  case latin1

  /// - Parameter charset: as in `Content-Type`; any case.
  public init?(charset: String) {
    switch charset.lowercased() {
    case "utf-8", "utf8", "us-ascii": self = .utf8
    case "iso-8859-1", "latin1", "windows-1252": self = .latin1
    default: return nil
    }
  }

  /// Nil: the bytes are not of this encoding.
  func text(_ bytes: UnsafeBufferPointer<UInt8>) -> String? {
    switch self {
    case .utf8:
      guard let text = try? UTF8Span(validating: bytes.span) else { return nil }
      return String(copying: text)
    case .latin1:
      if bytes.allSatisfy({ $0 < 0x80 }) { return String(decoding: bytes, as: UTF8.self) }
      var text = String.UnicodeScalarView()
      for byte in bytes { text.append(Self.scalar(byte)) }
      return String(text)
    }
  }

  private static func scalar(_ byte: UInt8) -> Unicode.Scalar {
    guard (0x80...0x9F).contains(byte) else { return Unicode.Scalar(byte) }
    return Unicode.Scalar(windows1252[Int(byte) - 0x80]) ?? Unicode.Scalar(byte)
  }

  /// 0x80 to 0x9F in Windows-1252.
  private static let windows1252: [UInt16] = [
    0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x008D,
    0x017D,
    0x008F, 0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153,
    0x009D,
    0x017E, 0x0178,
  ]
}
