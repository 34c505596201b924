/// One BSON value of any type.
///
/// Two values are equal when they have the same type and the same bytes: `.int32(1)` differs from `.int64(1)`, composed
/// from decomposed text, 0.0 from -0.0, and a NaN equals itself. That is how MongoDB tells stored values apart.
public enum BSONValue: Sendable {
  case double(Double)
  case string(String)
  case document(BSONDocument)
  case array([BSONValue])
  case binary(subtype: UInt8, bytes: [UInt8])
  case objectID(ObjectID)
  case bool(Bool)
  /// Milliseconds since the epoch.
  case date(milliseconds: Int64)
  case null
  case regex(pattern: String, options: String)
  case int32(Int32)
  case int64(Int64)
  /// MongoDB's internal clock: seconds in the high half, an increment in the low half. Not a date.
  case timestamp(UInt64)
  /// IEEE 754-2008 decimal in its binary integer encoding, passed through untouched.
  case decimal128(low: UInt64, high: UInt64)
  case minKey
  case maxKey
  case javascript(String)
  /// Deprecated by the specification; read and written for completeness, as are the three below.
  case javascriptWithScope(code: String, scope: BSONDocument)
  case symbol(String)
  case dbPointer(namespace: String, id: ObjectID)
  case undefined

  /// A UUID from its 16 bytes: binary of subtype 4.
  public static func uuid(_ bytes: some Collection<UInt8>) -> BSONValue {
    .binary(subtype: BSONBinary.uuidSubtype, bytes: Array(bytes))
  }

  public var type: BSONType {
    switch self {
    case .double: .double
    case .string: .string
    case .document: .document
    case .array: .array
    case .binary: .binary
    case .objectID: .objectID
    case .bool: .bool
    case .date: .date
    case .null: .null
    case .regex: .regex
    case .int32: .int32
    case .int64: .int64
    case .timestamp: .timestamp
    case .decimal128: .decimal128
    case .minKey: .minKey
    case .maxKey: .maxKey
    case .javascript: .javascript
    case .javascriptWithScope: .javascriptWithScope
    case .symbol: .symbol
    case .dbPointer: .dbPointer
    case .undefined: .undefined
    }
  }
}

/// Binary subtypes with a meaning of their own.
public enum BSONBinary {
  public static let generic: UInt8 = 0
  /// The deprecated subtype whose payload repeats its length.
  static let oldGeneric: UInt8 = 2
  public static let uuidSubtype: UInt8 = 4
}
