import Foundation

/// Encodes `Codable` types as BSON documents.
///
/// `Date` becomes a date (milliseconds, rounded), `UUID` binary of subtype 4, `Data` and `[UInt8]` generic binary, `Int` and
/// the unsigned types 64-bit integers, `Int32` and smaller 32-bit ones. Optionals that are nil are left out, unless a type
/// writes them with `encodeNil`. `ObjectID`, `BSONValue`, `BSONDocument` and `BSONDecimal128` keep their types.
public struct BSONEncoder: Sendable {
  /// Passed on to the types that encode themselves.
  public var userInfo: [CodingUserInfoKey: any Sendable] = [:]

  public init() {}

  /// - Throws: `EncodingError` when `value` is not encoded as a keyed container, a number does not fit, or a key holds a NUL.
  public func encode(_ value: some Encodable) throws -> BSONDocument {
    let node = EncodingNode()
    let encoder = NodeEncoder(node: node, codingPath: [], userInfo: userInfo)
    try encoder.encodeWhole(value)
    guard case .document(let document) = node.value else {
      let context = EncodingError.Context(
        codingPath: [], debugDescription: "A BSON document has keys at its top level.")
      throw EncodingError.invalidValue(value, context)
    }
    return document
  }
}

/// A place in the tree under construction; containers are handed out before their contents are known, hence a class.
final class EncodingNode {
  enum Content {
    case empty
    case single(BSONValue)
    case keyed([(key: String, node: EncodingNode)])
    case unkeyed([EncodingNode])
  }

  var content = Content.empty

  var value: BSONValue {
    switch content {
    // A type that encodes nothing at all is an empty document.
    case .empty: .document(BSONDocument())
    case .single(let value): value
    case .keyed(let fields): .document(BSONDocument(fields.lazy.map { (key: $0.key, value: $0.node.value) }))
    case .unkeyed(let nodes): .array(nodes.map(\.value))
    }
  }

  /// The node of `key`: a new one, or the one that an earlier container of the same value made.
  func child(_ key: String) -> EncodingNode {
    var fields: [(key: String, node: EncodingNode)] = []
    if case .keyed(let existing) = content { fields = existing }
    if let known = fields.first(where: { $0.key == key }) { return known.node }
    let node = EncodingNode()
    fields.append((key, node))
    content = .keyed(fields)
    return node
  }

  func appendChild() -> EncodingNode {
    var nodes: [EncodingNode] = []
    if case .unkeyed(let existing) = content { nodes = existing }
    let node = EncodingNode()
    nodes.append(node)
    content = .unkeyed(nodes)
    return node
  }

  var unkeyedCount: Int {
    if case .unkeyed(let nodes) = content { nodes.count } else { 0 }
  }
}
