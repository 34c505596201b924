import BSON
import CivilTime
import Crypto
import JSON

/// Reads the fields of a topic's record and stops at the first that is wrong. Fields it does not know are refused: a
/// producer that says more than we read expects something that would not happen.
struct RecordReader {
  private let object: JSONObject

  init(_ bytes: [UInt8], fields: [String]) throws(RecordError) {
    let json: JSONValue
    do throws(JSONError) {
      json = try JSONValue.parse(bytes)
    } catch {
      throw RecordError(error.description)
    }
    guard case .object(let object) = json else { throw RecordError("must be a JSON object, not \(json.typeName)") }
    let unknown = object.keys.filter { !fields.contains($0) }
    if let first = unknown.first {
      let names = unknown.prefix(10).map { $0.prefix(100) }.joined(separator: ", ")
      throw RecordError(
        unknown.count == 1 ? "is not a known field" : "unknown fields: \(names)", field: String(first.prefix(100)))
    }
    self.object = object
  }

  func has(_ field: String) -> Bool { object[field] != nil }

  func string(_ field: String) throws(RecordError) -> String {
    guard let text = try optionalString(field) else { throw RecordError("is required", field: field) }
    return text
  }

  func optionalString(_ field: String) throws(RecordError) -> String? {
    guard let json = object[field] else { return nil }
    guard case .string(let text) = json else { throw wrongType(json, field, "a string") }
    guard !text.isEmpty else { throw RecordError("must not be empty", field: field) }
    return text
  }

  func objectID(_ field: String) throws(RecordError) -> ObjectID {
    try Self.objectID(try string(field), field)
  }

  func objectIDs(_ field: String, count: ClosedRange<Int>) throws(RecordError) -> [ObjectID] {
    guard let json = object[field] else { throw RecordError("is required", field: field) }
    guard case .array(let elements) = json else { throw wrongType(json, field, "an array") }
    guard count.contains(elements.count) else {
      throw RecordError(
        "must have \(count.lowerBound) to \(count.upperBound) elements, not \(elements.count)", field: field)
    }
    var ids: [ObjectID] = []
    ids.reserveCapacity(elements.count)
    for (index, element) in elements.enumerated() {
      guard case .string(let text) = element else { throw wrongType(element, "\(field)[\(index)]", "a string") }
      ids.append(try Self.objectID(text, "\(field)[\(index)]"))
    }
    return ids
  }

  func uuid(_ field: String) throws(RecordError) -> UUIDBytes {
    let text = try string(field)
    guard let uuid = UUIDBytes(text) else { throw RecordError("is not a UUID: \(Self.shown(text))", field: field) }
    return uuid
  }

  func timestamp(_ field: String) throws(RecordError) -> Timestamp {
    let text = try string(field)
    guard let time = Timestamp(rfc3339: text) else {
      throw RecordError("is not an RFC 3339 time: \(Self.shown(text))", field: field)
    }
    return time
  }

  func attempt(_ field: String) throws(RecordError) -> Int32 {
    guard let json = object[field] else { throw RecordError("is required", field: field) }
    guard case .int(let number) = json else { throw wrongType(json, field, "an integer") }
    guard (0...1_000_000).contains(number) else { throw RecordError("is out of range: \(number)", field: field) }
    return Int32(number)
  }

  /// False when it is not there.
  func flag(_ field: String) throws(RecordError) -> Bool {
    guard let json = object[field] else { return false }
    guard case .bool(let value) = json else { throw wrongType(json, field, "a boolean") }
    return value
  }

  func choice<Choice: RawRepresentable<String>>(_ field: String, _ choices: [Choice]) throws(RecordError) -> Choice {
    let text = try string(field)
    if let choice = choices.first(where: { $0.rawValue == text }) { return choice }
    let known = choices.map(\.rawValue).joined(separator: ", ")
    throw RecordError("must be one of \(known), not \(Self.shown(text))", field: field)
  }

  func sendError(_ field: String) throws(RecordError) -> SendError? {
    guard let json = object[field] else { return nil }
    guard case .object(let error) = json else { throw wrongType(json, field, "an object") }
    guard let errorClass = error["class"]?.stringValue, let message = error["message"]?.stringValue, error.count == 2
    else { throw RecordError("must have a class and a message, both strings, and nothing else", field: field) }
    return SendError(errorClass: errorClass, message: message)
  }

  private static func objectID(_ text: String, _ field: String) throws(RecordError) -> ObjectID {
    guard let id = ObjectID(hex: text) else { throw RecordError("is not an ObjectId: \(shown(text))", field: field) }
    return id
  }

  private func wrongType(_ json: JSONValue, _ field: String, _ expected: String) -> RecordError {
    RecordError("must be \(expected), not \(json.typeName)", field: field)
  }

  private static func shown(_ text: String) -> String {
    let short = text.count <= 60 ? text : text.prefix(60) + "…"
    return short.debugDescription
  }
}

extension JSONWriter {
  mutating func field(_ name: String, _ id: UUIDBytes) { field(name, id.string) }

  mutating func field(_ name: String, _ id: ObjectID) { field(name, id.hex) }

  mutating func field(_ name: String, _ time: Timestamp) { field(name, time.description) }

  mutating func field(_ name: String, _ error: SendError?) {
    guard let error else { return }
    key(name)
    beginObject()
    field("class", error.errorClass)
    field("message", error.message)
    endObject()
  }
}
