/// A UUID (RFC 9562) as 16 bytes, ordered as they are.
public struct UUIDBytes: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The first and the last eight bytes, big-endian.
  let high: UInt64
  let low: UInt64

  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// A random UUID (version 4).
  public init() {
    let bytes = randomBytes(16)
    self.init(bytes, version: 4)
  }

  /// The 16 bytes as they are; nil for another count.
  public init?(bytes: [UInt8]) {
    guard bytes.count == 16 else { return nil }
    let halves = bytes.withUnsafeBytes { buffer in
      (buffer.loadUnaligned(as: UInt64.self), buffer.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    }
    self.init(high: UInt64(bigEndian: halves.0), low: UInt64(bigEndian: halves.1))
  }

  /// The 16 bytes as they are; nil for another count.
  public init?(bytes: some Collection<UInt8>) {
    guard bytes.count == 16 else { return nil }
    self.init(first16: bytes)
  }

  /// The name-based UUID (version 5): SHA-1 of the namespace's bytes and the name in UTF-8.
  public init(v5 name: String, namespace: UUIDBytes) {
    var input = namespace.bytes
    input.append(contentsOf: name.utf8)
    self.init(SHA1.digest(input), version: 5)
  }

  /// Parses the 8-4-4-4-12 form, in either case, and nothing else: no braces, no `urn:uuid:`.
  public init?(_ string: String) {
    var string = string
    let halves: (UInt64, UInt64)? = string.withUTF8 { text in
      guard text.count == 36 else { return nil }
      var halves: (UInt64, UInt64) = (0, 0)
      var digits = 0
      for (index, character) in text.enumerated() {
        if index == 8 || index == 13 || index == 18 || index == 23 {
          guard character == UInt8(ascii: "-") else { return nil }
          continue
        }
        guard let digit = Self.hexDigit(character) else { return nil }
        if digits < 16 { halves.0 = halves.0 << 4 | digit } else { halves.1 = halves.1 << 4 | digit }
        digits += 1
      }
      return halves
    }
    guard let halves else { return nil }
    self.init(high: halves.0, low: halves.1)
  }

  /// The 16 bytes in the order of RFC 9562.
  public var bytes: [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 16) { buffer, count in
      withUnsafeBytes(of: (high.bigEndian, low.bigEndian)) { source in
        for (index, byte) in source.enumerated() { buffer.initializeElement(at: index, to: byte) }
      }
      count = 16
    }
  }

  /// 36 characters, lower case.
  public var string: String {
    String(unsafeUninitializedCapacity: 36) { buffer in
      var position = 0
      for nibble in 0..<32 {
        if nibble == 8 || nibble == 12 || nibble == 16 || nibble == 20 {
          buffer.initializeElement(at: position, to: UInt8(ascii: "-"))
          position += 1
        }
        let half = nibble < 16 ? high : low
        let digit = UInt8(truncatingIfNeeded: half >> UInt64(60 - 4 * (nibble & 15)) & 15)
        let character = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
        buffer.initializeElement(at: position, to: character)
        position += 1
      }
      return position
    }
  }

  public var description: String { string }

  /// The version field: 4 is random, 5 name-based.
  public var version: Int { Int(high >> 12 & 0xF) }

  public static func < (left: UUIDBytes, right: UUIDBytes) -> Bool {
    (left.high, left.low) < (right.high, right.low)
  }

  private init(first16 bytes: some Sequence<UInt8>) {
    var halves: (UInt64, UInt64) = (0, 0)
    for (index, byte) in bytes.prefix(16).enumerated() {
      if index < 8 { halves.0 = halves.0 << 8 | UInt64(byte) } else { halves.1 = halves.1 << 8 | UInt64(byte) }
    }
    self.init(high: halves.0, low: halves.1)
  }

  /// The first 16 bytes with the version and the variant (RFC 9562) put in.
  private init(_ bytes: [UInt8], version: UInt64) {
    let raw = UUIDBytes(first16: bytes)
    self.init(
      high: raw.high & ~0xF000 | version << 12,
      low: raw.low & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000)
  }

  private static func hexDigit(_ character: UInt8) -> UInt64? {
    switch character {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(character - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(character - UInt8(ascii: "a") + 10)
    case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt64(character - UInt8(ascii: "A") + 10)
    default: nil
    }
  }
}
