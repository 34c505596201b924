/// Why bytes, or a key, are not BSON. The input is at fault: trying again with the same input fails again.
public enum BSONError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Fewer than 5 bytes, a length prefix that differs from the number of bytes, or a missing terminator.
  case badFrame(offset: Int)
  /// A type byte that BSON does not define.
  case unknownType(UInt8, offset: Int)
  /// An element or one of its parts reaches beyond its document.
  case truncated(offset: Int)
  /// A value that breaks its type's own rules, such as a boolean that is neither 0 nor 1.
  case badValue(String, offset: Int)
  /// A key or a string that is not UTF-8.
  case invalidUTF8(offset: Int)
  /// Documents nested deeper than `limit`.
  case tooDeep(limit: Int, offset: Int)
  /// A key that contains a NUL character; BSON cannot express it.
  case invalidKey(String)

  public var description: String {
    switch self {
    case .badFrame(let offset): "not a BSON document: bad length or terminator at byte \(offset)"
    case .unknownType(let type, let offset): "unknown BSON type 0x\(String(type, radix: 16)) at byte \(offset)"
    case .truncated(let offset): "BSON element is cut short at byte \(offset)"
    case .badValue(let reason, let offset): "bad BSON value at byte \(offset): \(reason)"
    case .invalidUTF8(let offset): "BSON text is not UTF-8 at byte \(offset)"
    case .tooDeep(let limit, let offset): "BSON nested deeper than \(limit) at byte \(offset)"
    case .invalidKey(let key): "a BSON key must not contain NUL: \(key.debugDescription)"
    }
  }
}
