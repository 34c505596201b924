extension BSONValue: Hashable {
  public static func == (left: BSONValue, right: BSONValue) -> Bool {
    switch (left, right) {
    case (.double(let a), .double(let b)): a.bitPattern == b.bitPattern
    case (.string(let a), .string(let b)): sameBytes(a, b)
    case (.document(let a), .document(let b)): a == b
    case (.array(let a), .array(let b)): a == b
    case (.binary(let aType, let a), .binary(let bType, let b)): aType == bType && a == b
    case (.objectID(let a), .objectID(let b)): a == b
    case (.bool(let a), .bool(let b)): a == b
    case (.date(let a), .date(let b)): a == b
    case (.regex(let a, let aOptions), .regex(let b, let bOptions)): sameBytes(a, b) && sameBytes(aOptions, bOptions)
    case (.int32(let a), .int32(let b)): a == b
    case (.int64(let a), .int64(let b)): a == b
    case (.timestamp(let a), .timestamp(let b)): a == b
    case (.decimal128(let aLow, let aHigh), .decimal128(let bLow, let bHigh)): aLow == bLow && aHigh == bHigh
    case (.javascript(let a), .javascript(let b)): sameBytes(a, b)
    case (.javascriptWithScope(let a, let aScope), .javascriptWithScope(let b, let bScope)):
      sameBytes(a, b) && aScope == bScope
    case (.symbol(let a), .symbol(let b)): sameBytes(a, b)
    case (.dbPointer(let a, let aID), .dbPointer(let b, let bID)): sameBytes(a, b) && aID == bID
    case (.null, .null), (.minKey, .minKey), (.maxKey, .maxKey), (.undefined, .undefined): true
    default: false
    }
  }

  /// Hashes what equality compares.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(type.rawValue)
    switch self {
    case .double(let value): hasher.combine(value.bitPattern)
    case .string(let value), .symbol(let value), .javascript(let value), .regex(let value, _),
      .dbPointer(let value, _), .javascriptWithScope(let value, _):
      for byte in value.utf8 { hasher.combine(byte) }
    case .document(let value): hasher.combine(value)
    case .array(let values): hasher.combine(values)
    case .binary(_, let bytes): hasher.combine(bytes)
    case .objectID(let value): hasher.combine(value)
    case .bool(let value): hasher.combine(value)
    case .date(let value), .int64(let value): hasher.combine(value)
    case .int32(let value): hasher.combine(value)
    case .timestamp(let value): hasher.combine(value)
    case .decimal128(let low, let high):
      hasher.combine(low)
      hasher.combine(high)
    case .null, .minKey, .maxKey, .undefined: break
    }
  }

  /// `String.==` compares canonically; BSON compares bytes.
  private static func sameBytes(_ left: String, _ right: String) -> Bool {
    left.utf8.count == right.utf8.count && left.utf8.elementsEqual(right.utf8)
  }
}
