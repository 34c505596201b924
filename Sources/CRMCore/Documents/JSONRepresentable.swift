import BSON
import CivilTime
import Crypto
import JSON

/// What the API shows of a stored thing. Documents carry `_id`; times are RFC 3339; what is absent is null.
public protocol JSONRepresentable {
  var jsonValue: JSONValue { get }
}

extension JSONRepresentable {
  public func write(to writer: inout JSONWriter) { writer.value(jsonValue) }

  public func encoded() -> [UInt8] { jsonValue.encoded() }
}

extension JSONValue {
  /// The value as the API shows it: ids in hexadecimal, UUIDs and times as text. Numbers keep their type; a double that
  /// JSON cannot express becomes null, and so do BSON's types without a use here.
  public init(bson value: BSONValue) {
    switch value {
    case .double(let value): self = value.isFinite ? .double(value) : .null
    case .string(let value), .symbol(let value): self = .string(value)
    case .document(let document): self = .object(JSONObject(bson: document))
    case .array(let values): self = .array(values.map(JSONValue.init(bson:)))
    case .binary:
      self = value.uuidBytes.flatMap { UUIDBytes(bytes: $0) }.map { .string($0.string) } ?? .null
    case .objectID(let id): self = .string(id.hex)
    case .bool(let value): self = .bool(value)
    case .date(let milliseconds): self = .string(Timestamp(milliseconds: milliseconds).description)
    case .int32(let value): self = .int(Int64(value))
    case .int64(let value): self = .int(value)
    case .null, .regex, .timestamp, .decimal128, .minKey, .maxKey, .javascript, .javascriptWithScope, .dbPointer,
      .undefined:
      self = .null
    }
  }

  init(_ time: Timestamp?) { self = time.map { .string($0.description) } ?? .null }

  init(_ text: String?) { self = text.map(JSONValue.string) ?? .null }
}

extension JSONObject {
  public init(bson document: BSONDocument) {
    self.init(document.map { (key: $0.key, value: JSONValue(bson: $0.value)) })
  }
}

extension BSONValue {
  /// The JSON value type for type: integers become 64-bit integers, doubles doubles. `JSONValue(bson:)` gives it back.
  public init(json: JSONValue) {
    switch json {
    case .null: self = .null
    case .bool(let value): self = .bool(value)
    case .int(let value): self = .int64(value)
    case .double(let value): self = .double(value)
    case .string(let value): self = .string(value)
    case .array(let values): self = .array(values.map(BSONValue.init(json:)))
    case .object(let object): self = .document(BSONDocument(json: object))
    }
  }
}

extension BSONDocument {
  /// The members in their order. A key with a NUL, which BSON cannot express, sets `hasInvalidKey`.
  public init(json object: JSONObject) {
    self.init(object.entries.lazy.map { (key: $0.key, value: BSONValue(json: $0.value)) })
  }
}
