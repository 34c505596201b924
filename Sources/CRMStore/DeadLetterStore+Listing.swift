import BSON
import CRMCore
import CivilTime
import Crypto
import JSON
import Mongo

/// Which dead letters are meant.
public struct DeadLetterFilter: Sendable, Equatable {
  public var topic: String?
  public var errorClass: String?
  public var state: DeadLetterState?
  /// Failed at this time or later.
  public var from: Timestamp?
  /// Failed before this time.
  public var to: Timestamp?

  public init() {}

  var bson: BSONDocument {
    var filter = BSONDocument()
    if let state { filter.append("state", state.rawValue) }
    if let topic { filter.append("topic", topic) }
    if let errorClass { filter.append("error_class", errorClass) }
    var range = BSONDocument()
    if let from { range.appendDate("$gte", milliseconds: from.milliseconds) }
    if let to { range.appendDate("$lt", milliseconds: to.milliseconds) }
    if !range.isEmpty { filter.append("failed_at", document: range) }
    return filter
  }
}

/// A dead letter as it is filed.
public struct FiledLetter: Sendable {
  public let id: UUIDBytes
  public let state: DeadLetterState
  public let topic: String
  public let errorClass: String
  public let key: [UInt8]?
  public let value: [UInt8]?
  public let headers: [(name: String, value: [UInt8])]
  private let document: BSONDocument

  init(bson document: BSONDocument) throws {
    guard let id = document["_id"]?.uuidBytes.flatMap({ UUIDBytes(bytes: $0) }),
      let state = document["state"]?.stringValue.flatMap(DeadLetterState.init(rawValue:)),
      let topic = document["topic"]?.stringValue
    else { throw DocumentError(collection: Collections.deadLetters, document: document) }
    self.id = id
    self.state = state
    self.topic = topic
    errorClass = document["error_class"]?.stringValue ?? "unknown"
    key = document["key"]?.binaryValue
    value = document["value"]?.binaryValue
    headers = (document["headers"]?.arrayValue ?? []).compactMap { header in
      header["name"]?.stringValue.map { (name: $0, value: header["value"]?.binaryValue ?? []) }
    }
    self.document = document
  }

  /// The letter without the record, as lists show it.
  public var summary: JSONObject {
    let bytes: Set = ["key", "value", "headers"]
    return JSONObject(document.filter { !bytes.contains($0.key) }.map { ($0.key, JSONValue(bson: $0.value)) })
  }
}

extension FiledLetter: JSONRepresentable {
  /// The letter with its record: text where the bytes are UTF-8, else hexadecimal digits.
  public var jsonValue: JSONValue {
    var object = summary
    object["key"] = Self.shown(key)
    object["value"] = Self.shown(value)
    object["value_is_text"] = .bool(value.map { String(validating: $0, as: UTF8.self) != nil } ?? false)
    object["headers"] = .object(JSONObject(headers.map { (key: $0.name, value: Self.shown($0.value)) }))
    return .object(object)
  }

  private static func shown(_ bytes: [UInt8]?) -> JSONValue {
    guard let bytes else { return .null }
    return .string(String(validating: bytes, as: UTF8.self) ?? hexString(bytes))
  }
}

extension Store {
  /// The one order of dead letters: the newest first.
  public static let deadLetterOrder = ListOrder(field: "failed_at", ascending: false)

  /// A page of dead letters.
  public func deadLetters(
    _ filter: DeadLetterFilter, start: PageStart, limit: Int
  ) async throws -> ListPage<FiledLetter> {
    try await page(
      ListQuery(
        collection: Collections.deadLetters, filter: filter.bson, order: Store.deadLetterOrder, start: start,
        limit: limit)
    ) { try FiledLetter(bson: $0) }
  }

  /// A dead letter by its id.
  ///
  /// - Throws: `StoreError.notFound`.
  public func deadLetter(_ id: UUIDBytes) async throws -> FiledLetter {
    try await mongo.withConnection { connection in
      guard let document = try connection.findOne(Collections.deadLetters, ["_id": .uuid(id.bytes)]) else {
        throw StoreError.notFound(what: "dead letter", id: id.string)
      }
      return try FiledLetter(bson: document)
    }
  }

  /// Dead letters that match, the oldest first.
  public func oldestDeadLetters(_ filter: DeadLetterFilter, limit: Int) async throws -> [FiledLetter] {
    try await mongo.withConnection { connection in
      try connection.findAll(
        Collections.deadLetters, filter.bson, FindOptions(sort: ["failed_at": 1, "_id": 1], limit: limit), limit: limit
      ).map { try FiledLetter(bson: $0) }
    }
  }
}
