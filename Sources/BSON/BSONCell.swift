/// A value as it lies in a document's bytes: numbers, dates and booleans themselves, of everything longer the place.
///
/// What a reader of very many documents compares with, without making a `String` or an array of each value. It has 16
/// bytes, owns nothing, and means something only together with the bytes that it was read from.
public struct BSONCell: Sendable {
  public enum Kind: UInt8, Sendable {
    /// No such element, or a malformed one.
    case missing
    case null, bool
    /// Of 32 or of 64 bits.
    case integer
    case double
    /// Milliseconds since the epoch.
    case date
    case text, document, array
    /// Any other type.
    case other
  }

  public let kind: Kind
  /// Bytes of a text, or of a document or an array with its frame.
  public let count: Int32
  /// The value, or where it begins.
  public let bits: UInt64

  @inlinable
  public init(_ kind: Kind, bits: UInt64 = 0, count: Int32 = 0) {
    self.kind = kind
    self.count = count
    self.bits = bits
  }

  @inlinable
  public static var missing: BSONCell { BSONCell(.missing) }

  /// Where a text, a document or an array lies within the bytes; empty for other kinds.
  @inlinable
  public var range: Range<Int> {
    let start = Int(truncatingIfNeeded: bits)
    return Range(uncheckedBounds: (start, start + Int(count)))
  }

  @inlinable
  public var integer: Int64 { Int64(bitPattern: bits) }

  @inlinable
  public var double: Double { Double(bitPattern: bits) }

  @inlinable
  public init(_ element: RawElement, in bytes: UnsafeRawBufferPointer) {
    let start = element.value.lowerBound
    switch element.type {
    case .double: self.init(.double, bits: Self.word(bytes, start))
    case .int64: self.init(.integer, bits: Self.word(bytes, start))
    case .int32:
      let value = Int32(littleEndian: bytes.loadUnaligned(fromByteOffset: start, as: Int32.self))
      self.init(.integer, bits: UInt64(bitPattern: Int64(value)))
    case .date: self.init(.date, bits: Self.word(bytes, start))
    case .bool where bytes[start] <= 1: self.init(.bool, bits: UInt64(bytes[start]))
    case .null: self.init(.null)
    case .string:
      let count = element.value.count - 5
      guard RawElements.length(bytes, start) == count + 1, bytes[element.value.upperBound - 1] == 0 else {
        self = .missing
        return
      }
      self.init(.text, bits: UInt64(truncatingIfNeeded: start + 4), count: Int32(truncatingIfNeeded: count))
    case .document: self.init(.document, nested: element.value)
    case .array: self.init(.array, nested: element.value)
    case .bool: self = .missing
    default: self.init(.other)
    }
  }

  @inlinable
  init(_ kind: Kind, nested: Range<Int>) {
    self.init(
      kind, bits: UInt64(truncatingIfNeeded: nested.lowerBound), count: Int32(truncatingIfNeeded: nested.count))
  }

  @inlinable
  static func word(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
    UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }
}
