/// Each accessor is nil when the value has another type.
extension BSONValue {
  public var stringValue: String? {
    if case .string(let value) = self { value } else { nil }
  }

  /// Any number without a fraction that an `Int64` holds, whatever its BSON type.
  public var int64Value: Int64? {
    switch self {
    case .int64(let value): value
    case .int32(let value): Int64(value)
    case .double(let value): Int64(exactly: value)
    default: nil
    }
  }

  /// As `int64Value`, as an `Int`.
  public var intValue: Int? { int64Value.flatMap(Int.init(exactly:)) }

  /// Any binary number; integers beyond 2⁵³ are rounded.
  public var doubleValue: Double? {
    switch self {
    case .double(let value): value
    case .int32(let value): Double(value)
    case .int64(let value): Double(value)
    default: nil
    }
  }

  public var boolValue: Bool? {
    if case .bool(let value) = self { value } else { nil }
  }

  /// Milliseconds since the epoch of a date.
  public var dateMilliseconds: Int64? {
    if case .date(let value) = self { value } else { nil }
  }

  public var objectIDValue: ObjectID? {
    if case .objectID(let value) = self { value } else { nil }
  }

  public var documentValue: BSONDocument? {
    if case .document(let value) = self { value } else { nil }
  }

  public var arrayValue: [BSONValue]? {
    if case .array(let value) = self { value } else { nil }
  }

  /// The bytes of a binary value of any subtype.
  public var binaryValue: [UInt8]? {
    if case .binary(_, let bytes) = self { bytes } else { nil }
  }

  /// The 16 bytes of a UUID.
  public var uuidBytes: [UInt8]? {
    if case .binary(BSONBinary.uuidSubtype, let bytes) = self, bytes.count == 16 { bytes } else { nil }
  }

  public var isNull: Bool {
    if case .null = self { true } else { false }
  }

  /// The field `key` of a document; nil for other types.
  public subscript(key: String) -> BSONValue? { documentValue?[key] }

  /// The element at `index` of an array; nil for other types and beyond the end.
  public subscript(index: Int) -> BSONValue? {
    guard case .array(let values) = self, values.indices.contains(index) else { return nil }
    return values[index]
  }
}
