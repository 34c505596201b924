/// A decimal in a `Codable` type: passed through bit by bit, shown as MongoDB shows it.
public struct BSONDecimal128: Hashable, Sendable, CustomStringConvertible {
  public var low: UInt64
  public var high: UInt64

  public init(low: UInt64, high: UInt64) {
    self.low = low
    self.high = high
  }

  /// Nil for a value of another type.
  public init?(_ value: BSONValue) {
    guard case .decimal128(let low, let high) = value else { return nil }
    self.init(low: low, high: high)
  }

  /// Such as `12.50`, `1E+3` or `NaN`.
  public var description: String { Decimal128Text.string(low: low, high: high) }
}

// BSONEncoder and BSONDecoder never call what follows; it is for other formats, which know no BSON types.

extension ObjectID: Codable {
  /// As 24 hexadecimal digits.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(hex)
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let id = ObjectID(hex: try container.decode(String.self)) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "An ObjectID has 24 hexadecimal digits.")
    }
    self = id
  }
}

/// Types that only BSON can express.
public protocol BSONOnlyCodable: Codable {}

extension BSONOnlyCodable {
  public func encode(to encoder: any Encoder) throws {
    throw EncodingError.invalidValue(
      self,
      EncodingError.Context(
        codingPath: encoder.codingPath, debugDescription: "\(Self.self) needs a BSONEncoder."))
  }

  public init(from decoder: any Decoder) throws {
    throw DecodingError.dataCorrupted(
      DecodingError.Context(
        codingPath: decoder.codingPath, debugDescription: "\(Self.self) needs a BSONDecoder."))
  }
}

extension BSONValue: BSONOnlyCodable {}
extension BSONDocument: BSONOnlyCodable {}
extension BSONDecimal128: BSONOnlyCodable {}
