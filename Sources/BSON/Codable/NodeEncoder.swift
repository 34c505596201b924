import Foundation

/// Encodes one value into one node.
struct NodeEncoder: Encoder, SingleValueEncodingContainer {
  let node: EncodingNode
  let codingPath: [any CodingKey]
  let sendableUserInfo: [CodingUserInfoKey: any Sendable]

  var userInfo: [CodingUserInfoKey: Any] { sendableUserInfo }

  init(node: EncodingNode, codingPath: [any CodingKey], userInfo: [CodingUserInfoKey: any Sendable]) {
    self.node = node
    self.codingPath = codingPath
    sendableUserInfo = userInfo
  }

  func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
    if case .empty = node.content { node.content = .keyed([]) }
    return KeyedEncodingContainer(KeyedNodeEncoder(encoder: self))
  }

  func unkeyedContainer() -> any UnkeyedEncodingContainer {
    if case .empty = node.content { node.content = .unkeyed([]) }
    return UnkeyedNodeEncoder(encoder: self)
  }

  func singleValueContainer() -> any SingleValueEncodingContainer { self }

  func nested(_ node: EncodingNode, _ key: any CodingKey) -> NodeEncoder {
    NodeEncoder(node: node, codingPath: codingPath + [key], userInfo: sendableUserInfo)
  }

  func put(_ value: BSONValue) { node.content = .single(value) }

  func encodeNil() { put(.null) }
  func encode(_ value: Bool) { put(.bool(value)) }
  func encode(_ value: String) { put(.string(value)) }
  func encode(_ value: Double) { put(.double(value)) }
  func encode(_ value: Float) { put(.double(Double(value))) }
  func encode(_ value: Int) { put(.int64(Int64(value))) }
  func encode(_ value: Int8) { put(.int32(Int32(value))) }
  func encode(_ value: Int16) { put(.int32(Int32(value))) }
  func encode(_ value: Int32) { put(.int32(value)) }
  func encode(_ value: Int64) { put(.int64(value)) }
  func encode(_ value: UInt8) { put(.int32(Int32(value))) }
  func encode(_ value: UInt16) { put(.int32(Int32(value))) }
  func encode(_ value: UInt32) { put(.int64(Int64(value))) }

  func encode(_ value: UInt) throws { try encode(UInt64(value)) }

  func encode(_ value: UInt64) throws {
    guard let fitting = Int64(exactly: value) else {
      throw invalid(value, "BSON has no integers beyond \(Int64.max).")
    }
    put(.int64(fitting))
  }

  func encode(_ value: some Encodable) throws { try encodeWhole(value) }

  /// Types that have a BSON form of their own, before they are asked to encode themselves.
  func encodeWhole<T: Encodable>(_ value: T) throws {
    switch value {
    case let value as BSONValue: put(value)
    case let value as BSONDocument:
      if value.hasInvalidKey { throw invalid(value, "A key contains NUL.") }
      put(.document(value))
    case let value as ObjectID: put(.objectID(value))
    case let value as BSONDecimal128: put(.decimal128(low: value.low, high: value.high))
    case let value as Date: put(.date(milliseconds: try milliseconds(value)))
    case let value as UUID: put(.uuid(withUnsafeBytes(of: value.uuid) { Array($0) }))
    case let value as Data: put(.binary(subtype: BSONBinary.generic, bytes: Array(value)))
    // A cast alone would take every empty array for bytes.
    case let value as [UInt8] where T.self == [UInt8].self:
      put(.binary(subtype: BSONBinary.generic, bytes: value))
    default: try value.encode(to: self)
    }
  }

  private func milliseconds(_ date: Date) throws -> Int64 {
    guard let milliseconds = Int64(exactly: (date.timeIntervalSince1970 * 1000).rounded()) else {
      throw invalid(date, "The date is out of BSON's range.")
    }
    return milliseconds
  }

  func invalid(_ value: Any, _ reason: String) -> EncodingError {
    .invalidValue(value, EncodingError.Context(codingPath: codingPath, debugDescription: reason))
  }
}

private struct KeyedNodeEncoder<Key: CodingKey>: KeyedEncodingContainerProtocol {
  let encoder: NodeEncoder
  var codingPath: [any CodingKey] { encoder.codingPath }

  private func field(_ key: any CodingKey) throws -> NodeEncoder {
    guard BSONDocument.isValidKey(key.stringValue) else {
      throw encoder.invalid(key.stringValue, "A BSON key must not contain NUL.")
    }
    return encoder.nested(encoder.node.child(key.stringValue), key)
  }

  func encodeNil(forKey key: Key) throws { try field(key).encodeNil() }

  func encode(_ value: some Encodable, forKey key: Key) throws { try field(key).encodeWhole(value) }

  func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type, forKey key: Key
  ) -> KeyedEncodingContainer<Nested> {
    encoder.nested(encoder.node.child(key.stringValue), key).container(keyedBy: type)
  }

  func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
    encoder.nested(encoder.node.child(key.stringValue), key).unkeyedContainer()
  }

  func superEncoder() -> any Encoder { superEncoder(for: IndexedKey("super")) }

  func superEncoder(forKey key: Key) -> any Encoder { superEncoder(for: key) }

  private func superEncoder(for key: any CodingKey) -> any Encoder {
    encoder.nested(encoder.node.child(key.stringValue), key)
  }
}

private struct UnkeyedNodeEncoder: UnkeyedEncodingContainer {
  let encoder: NodeEncoder
  var codingPath: [any CodingKey] { encoder.codingPath }
  var count: Int { encoder.node.unkeyedCount }

  private func element() -> NodeEncoder {
    let key = IndexedKey(count)
    return encoder.nested(encoder.node.appendChild(), key)
  }

  func encodeNil() { element().encodeNil() }

  func encode(_ value: some Encodable) throws { try element().encodeWhole(value) }

  func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
    element().container(keyedBy: type)
  }

  func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { element().unkeyedContainer() }

  func superEncoder() -> any Encoder { element() }
}

/// The key of an array's element, or "super".
struct IndexedKey: CodingKey {
  let stringValue: String
  let intValue: Int?

  init(_ index: Int) {
    stringValue = String(index)
    intValue = index
  }

  init(_ name: String) {
    stringValue = name
    intValue = nil
  }

  init?(stringValue: String) { self.init(stringValue) }
  init?(intValue: Int) { self.init(intValue) }
}
