import BSON
import CivilTime
import Crypto

/// A stored document lacks a field or has one of another type. Somebody else wrote it, or another version: repair it.
public struct DocumentShapeError: Error, Equatable, CustomStringConvertible {
  /// What the document was read as: `lead`, `campaign`, …
  public let kind: String
  /// Its `_id`, if it has one, as extended JSON or text.
  public let id: String
  public let field: String
  public let expected: String

  public var description: String { "\(kind) \(id): field \(field) must be \(expected)" }
}

/// Typed access to the fields of a stored document. An absent field and a null are the same here.
struct DocumentReader {
  let kind: String
  let document: BSONDocument

  init(_ kind: String, _ document: BSONDocument) {
    self.kind = kind
    self.document = document
  }

  func error(_ field: String, _ expected: String) -> DocumentShapeError {
    let id =
      switch document["_id"] {
      case .objectID(let id)?: id.hex
      case .some(let value): value.uuidBytes.flatMap { UUIDBytes(bytes: $0) }?.string ?? "\(value)"
      case nil: "without _id"
      }
    return DocumentShapeError(kind: kind, id: id, field: field, expected: expected)
  }

  /// The value that `convert` makes of a field; nil when it is absent or null.
  func optional<Value>(
    _ field: String, _ expected: String, _ convert: (BSONValue) -> Value?
  ) throws(DocumentShapeError) -> Value? {
    guard let value = document[field], !value.isNull else { return nil }
    guard let converted = convert(value) else { throw error(field, expected) }
    return converted
  }

  func required<Value>(
    _ field: String, _ expected: String, _ convert: (BSONValue) -> Value?
  ) throws(DocumentShapeError) -> Value {
    guard let value = try optional(field, expected, convert) else { throw error(field, expected) }
    return value
  }

  func string(_ field: String) throws(DocumentShapeError) -> String { try required(field, "a string", \.stringValue) }

  func optionalString(_ field: String) throws(DocumentShapeError) -> String? {
    try optional(field, "a string", \.stringValue)
  }

  func strings(_ field: String) throws(DocumentShapeError) -> [String] {
    try optional(field, "an array of strings") { value -> [String]? in
      guard let elements = value.arrayValue else { return nil }
      let strings = elements.compactMap(\.stringValue)
      return strings.count == elements.count ? strings : nil
    } ?? []
  }

  func id(_ field: String = "_id") throws(DocumentShapeError) -> ObjectID {
    try required(field, "an ObjectId", \.objectIDValue)
  }

  func uuid(_ field: String = "_id") throws(DocumentShapeError) -> UUIDBytes {
    try required(field, "a UUID") { $0.uuidBytes.flatMap { UUIDBytes(bytes: $0) } }
  }

  func optionalUUID(_ field: String) throws(DocumentShapeError) -> UUIDBytes? {
    try optional(field, "a UUID") { $0.uuidBytes.flatMap { UUIDBytes(bytes: $0) } }
  }

  func time(_ field: String) throws(DocumentShapeError) -> Timestamp {
    try required(field, "a date") { $0.dateMilliseconds.map(Timestamp.init(milliseconds:)) }
  }

  func optionalTime(_ field: String) throws(DocumentShapeError) -> Timestamp? {
    try optional(field, "a date") { $0.dateMilliseconds.map(Timestamp.init(milliseconds:)) }
  }

  func double(_ field: String, default value: Double? = nil) throws(DocumentShapeError) -> Double {
    if let found = try optional(field, "a number", \.doubleValue) ?? value { return found }
    throw error(field, "a number")
  }

  func integer(_ field: String, default value: Int64? = nil) throws(DocumentShapeError) -> Int64 {
    if let found = try optional(field, "an integer", \.int64Value) ?? value { return found }
    throw error(field, "an integer")
  }

  func choice<Choice: RawRepresentable<String>>(
    _ field: String, default value: Choice? = nil
  ) throws(DocumentShapeError) -> Choice {
    let found = try optional(field, "one of the known values") { $0.stringValue.flatMap(Choice.init(rawValue:)) }
    if let found = found ?? value { return found }
    throw error(field, "one of the known values")
  }

  func document(_ field: String) throws(DocumentShapeError) -> BSONDocument? {
    try optional(field, "a document", \.documentValue)
  }
}

extension BSONDocument {
  mutating func append(_ key: String, _ time: Timestamp) { appendDate(key, milliseconds: time.milliseconds) }

  mutating func append(_ key: String, optional time: Timestamp?) {
    if let time { append(key, time) }
  }

  mutating func append(_ key: String, optional text: String?) {
    if let text { append(key, text) }
  }
}
