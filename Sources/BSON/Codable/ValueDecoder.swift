import Foundation

/// Decodes one value.
struct ValueDecoder: Decoder, SingleValueDecodingContainer {
  let value: BSONValue
  let codingPath: [any CodingKey]
  let sendableUserInfo: [CodingUserInfoKey: any Sendable]

  var userInfo: [CodingUserInfoKey: Any] { sendableUserInfo }

  init(value: BSONValue, codingPath: [any CodingKey], userInfo: [CodingUserInfoKey: any Sendable]) {
    self.value = value
    self.codingPath = codingPath
    sendableUserInfo = userInfo
  }

  func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
    guard case .document(let document) = value else { throw mismatch([String: Any].self) }
    return KeyedDecodingContainer(KeyedValueDecoder(decoder: self, document: document))
  }

  func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
    guard case .array(let values) = value else { throw mismatch([Any].self) }
    return UnkeyedValueDecoder(decoder: self, values: values)
  }

  func singleValueContainer() -> any SingleValueDecodingContainer { self }

  func nested(_ value: BSONValue, _ key: any CodingKey) -> ValueDecoder {
    ValueDecoder(value: value, codingPath: codingPath + [key], userInfo: sendableUserInfo)
  }

  func decodeNil() -> Bool { value.isNull }

  func decode(_ type: Bool.Type) throws -> Bool {
    guard let bool = value.boolValue else { throw mismatch(type) }
    return bool
  }

  func decode(_ type: String.Type) throws -> String {
    guard let string = value.stringValue else { throw mismatch(type) }
    return string
  }

  func decode(_ type: Double.Type) throws -> Double {
    if case .double(let double) = value { return double }
    guard let integer = value.int64Value else { throw mismatch(type) }
    guard let exact = Double(exactly: integer) else { throw doesNotFit(type) }
    return exact
  }

  /// Rounds, as a `Float` must.
  func decode(_ type: Float.Type) throws -> Float { Float(try decode(Double.self)) }

  func decode(_ type: Int.Type) throws -> Int { try integer(type) }
  func decode(_ type: Int8.Type) throws -> Int8 { try integer(type) }
  func decode(_ type: Int16.Type) throws -> Int16 { try integer(type) }
  func decode(_ type: Int32.Type) throws -> Int32 { try integer(type) }
  func decode(_ type: Int64.Type) throws -> Int64 { try integer(type) }
  func decode(_ type: UInt.Type) throws -> UInt { try integer(type) }
  func decode(_ type: UInt8.Type) throws -> UInt8 { try integer(type) }
  func decode(_ type: UInt16.Type) throws -> UInt16 { try integer(type) }
  func decode(_ type: UInt32.Type) throws -> UInt32 { try integer(type) }
  func decode(_ type: UInt64.Type) throws -> UInt64 { try integer(type) }

  func decode<T: Decodable>(_ type: T.Type) throws -> T { try decodeWhole(type) }

  private func integer<T: FixedWidthInteger>(_ type: T.Type) throws -> T {
    switch value {
    case .int32, .int64, .double:
      guard let fitting = value.int64Value.flatMap(T.init(exactly:)) else { throw doesNotFit(type) }
      return fitting
    default:
      throw mismatch(type)
    }
  }

  /// Types that have a BSON form of their own, before they are asked to decode themselves.
  func decodeWhole<T: Decodable>(_ type: T.Type) throws -> T {
    let native: Any?
    switch type {
    case is BSONValue.Type: native = value
    case is BSONDocument.Type: native = value.documentValue
    case is ObjectID.Type: native = value.objectIDValue
    case is BSONDecimal128.Type: native = BSONDecimal128(value)
    case is Date.Type: native = value.dateMilliseconds.map { Date(timeIntervalSince1970: Double($0) / 1000) }
    case is UUID.Type: native = value.uuidBytes.flatMap(UUID.init(sixteen:))
    case is Data.Type: native = value.binaryValue.map { Data($0) }
    case is [UInt8].Type where value.type == .binary: native = value.binaryValue
    default: return try type.init(from: self)
    }
    guard let result = native as? T else { throw mismatch(type) }
    return result
  }

  func mismatch(_ type: Any.Type) -> DecodingError {
    let context = DecodingError.Context(
      codingPath: codingPath, debugDescription: "Expected \(type), found BSON \(value.type).")
    return value.isNull ? .valueNotFound(type, context) : .typeMismatch(type, context)
  }

  private func doesNotFit(_ type: Any.Type) -> DecodingError {
    .dataCorrupted(
      DecodingError.Context(
        codingPath: codingPath, debugDescription: "\(value.extendedJSON()) is not exactly a \(type)."))
  }
}

extension UUID {
  fileprivate init?(sixteen bytes: [UInt8]) {
    guard bytes.count == 16 else { return nil }
    self = bytes.withUnsafeBytes { UUID(uuid: $0.loadUnaligned(as: uuid_t.self)) }
  }
}

private struct KeyedValueDecoder<Key: CodingKey>: KeyedDecodingContainerProtocol {
  let decoder: ValueDecoder
  let document: BSONDocument
  var codingPath: [any CodingKey] { decoder.codingPath }
  var allKeys: [Key] { document.keys.compactMap(Key.init(stringValue:)) }

  func contains(_ key: Key) -> Bool { document.contains(key: key.stringValue) }

  private func field(_ key: any CodingKey) throws -> ValueDecoder {
    guard let value = document[key.stringValue] else {
      throw DecodingError.keyNotFound(
        key, DecodingError.Context(codingPath: codingPath, debugDescription: "No field \"\(key.stringValue)\"."))
    }
    return decoder.nested(value, key)
  }

  func decodeNil(forKey key: Key) throws -> Bool { try field(key).decodeNil() }

  func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T { try field(key).decodeWhole(type) }

  func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type, forKey key: Key
  ) throws -> KeyedDecodingContainer<Nested> {
    try field(key).container(keyedBy: type)
  }

  func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
    try field(key).unkeyedContainer()
  }

  func superDecoder() throws -> any Decoder { try field(IndexedKey("super")) }

  func superDecoder(forKey key: Key) throws -> any Decoder { try field(key) }
}

private struct UnkeyedValueDecoder: UnkeyedDecodingContainer {
  let decoder: ValueDecoder
  let values: [BSONValue]
  private(set) var currentIndex = 0

  init(decoder: ValueDecoder, values: [BSONValue]) {
    self.decoder = decoder
    self.values = values
  }

  var codingPath: [any CodingKey] { decoder.codingPath }
  var count: Int? { values.count }
  var isAtEnd: Bool { currentIndex >= values.count }

  /// The current element; the index moves on only when it could be decoded.
  private mutating func next<T>(_ type: Any.Type, _ decode: (ValueDecoder) throws -> T) throws -> T {
    let key = IndexedKey(currentIndex)
    guard !isAtEnd else {
      throw DecodingError.valueNotFound(
        type, DecodingError.Context(codingPath: codingPath + [key], debugDescription: "The array ends here."))
    }
    let result = try decode(decoder.nested(values[currentIndex], key))
    currentIndex += 1
    return result
  }

  mutating func decodeNil() throws -> Bool {
    guard !isAtEnd else { return try next(Never.self) { _ in false } }
    guard values[currentIndex].isNull else { return false }
    currentIndex += 1
    return true
  }

  mutating func decode<T: Decodable>(_ type: T.Type) throws -> T { try next(type) { try $0.decodeWhole(type) } }

  mutating func nestedContainer<Nested: CodingKey>(
    keyedBy type: Nested.Type
  ) throws -> KeyedDecodingContainer<Nested> {
    try next(type) { try $0.container(keyedBy: type) }
  }

  mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
    try next([Any].self) { try $0.unkeyedContainer() }
  }

  mutating func superDecoder() throws -> any Decoder { try next((any Decoder).self) { $0 } }
}
