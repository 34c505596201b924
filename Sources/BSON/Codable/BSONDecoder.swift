import Foundation

/// Decodes `Codable` types from BSON documents.
///
/// Integers are accepted from any BSON number that is exactly one and fits; `Double` from any binary number that it holds
/// exactly. `decodeIfPresent` takes a missing field and an explicit null for nil; `contains` tells them apart. Errors name the
/// whole coding path.
public struct BSONDecoder: Sendable {
  /// Passed on to the types that decode themselves.
  public var userInfo: [CodingUserInfoKey: any Sendable] = [:]

  public init() {}

  /// - Throws: `DecodingError` with the coding path of what does not fit.
  public func decode<T: Decodable>(_ type: T.Type, from document: BSONDocument) throws -> T {
    try ValueDecoder(value: .document(document), codingPath: [], userInfo: userInfo).decodeWhole(type)
  }
}
