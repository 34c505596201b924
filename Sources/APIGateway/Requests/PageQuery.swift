import BSON
import CRMCore
import CRMStore
import CivilTime
import Crypto
import Foundation
import HTTP
import JSON

/// Which page of a list a client asks for, and in which order.
struct PageQuery: Sendable {
  static let defaultLimit = 10
  static let largestLimit = 100
  static let lastPage = 1_000_000

  var order: ListOrder
  var start: PageStart
  var limit: Int
}

/// The two directions of `sort_order`.
enum SortDirection: String, CaseIterable, Sendable {
  case ascending = "asc"
  case descending = "desc"
}

extension QueryReader {
  /// Reads `page`, `limit`, `cursor` and, where there is a choice, `sort_by` and `sort_order`.
  mutating func page<Field: RawRepresentable<String> & CaseIterable>(
    sortedBy: Field.Type, fallback: ListOrder, field: (Field) -> String
  ) -> PageQuery {
    let by: Field? = choice("sort_by")
    let direction: SortDirection? = choice("sort_order")
    var order = fallback
    if let by {
      order.field = field(by)
      order.ascending = false
    }
    if let direction { order.ascending = direction == .ascending }
    return page(in: order)
  }

  /// Reads `page`, `limit` and `cursor` of a list with one order.
  mutating func page(in order: ListOrder) -> PageQuery {
    let limit = integer("limit", in: 1...PageQuery.largestLimit) ?? PageQuery.defaultLimit
    let number = integer("page", in: 1...PageQuery.lastPage)
    var start = PageStart.page(number ?? 1)
    if let cursor = cursor(in: order) { start = .after(cursor) }
    if number != nil, value("cursor") != nil { reject("cursor", "exclusive", "cannot be given together with page") }
    return PageQuery(order: order, start: start, limit: limit)
  }

  /// Reads `limit` and `cursor` of a list that has no numbered pages.
  mutating func keyset(in order: ListOrder) -> PageQuery {
    let limit = integer("limit", in: 1...PageQuery.largestLimit) ?? PageQuery.defaultLimit
    return PageQuery(order: order, start: cursor(in: order).map { .after($0) } ?? .page(1), limit: limit)
  }

  private mutating func cursor(in order: ListOrder) -> ListCursor? {
    guard let text = value("cursor") else { return nil }
    if let cursor = CursorCoding.decode(text, order: order) { return cursor }
    reject("cursor", "invalid_cursor", "is not a next_cursor of this list in this order")
    return nil
  }
}

/// Cursors as clients carry them: opaque text. What is inside is checked again when it comes back.
enum CursorCoding {
  /// Base64url of `["<field>","<asc|desc>",<type>,<value>,<id type>,<id>]`.
  static func encode(_ cursor: ListCursor, order: ListOrder) -> String {
    let place: JSONValue = .array([
      .string(order.field), .bool(order.ascending), tagged(cursor.value), tagged(cursor.id),
    ])
    return Data(place.encoded()).base64EncodedString()
      .replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
  }

  /// Nil for anything that `encode` did not make for this order.
  static func decode(_ text: String, order: ListOrder) -> ListCursor? {
    guard text.utf8.count <= 2048 else { return nil }
    var base64 = text.replacing("-", with: "+").replacing("_", with: "/")
    while base64.utf8.count % 4 != 0 { base64 += "=" }
    guard let data = Data(base64Encoded: base64), let place = try? JSONValue.parse(Array(data), maxDepth: 3),
      place.arrayValue?.count == 4, place[0]?.stringValue == order.field, place[1]?.boolValue == order.ascending,
      let value = place[2].flatMap(untagged), let id = place[3].flatMap(untagged), !id.isNull
    else { return nil }
    return ListCursor(value: value, id: id)
  }

  private static func tagged(_ value: BSONValue) -> JSONValue {
    switch value {
    case .string(let text): ["s", .string(text)]
    case .double(let number): ["d", .double(number)]
    case .int32(let number): ["i", .int(Int64(number))]
    case .int64(let number): ["i", .int(number)]
    case .date(let milliseconds): ["t", .int(milliseconds)]
    case .objectID(let id): ["o", .string(id.hex)]
    case .binary: ["u", .string(value.uuidBytes.flatMap { UUIDBytes(bytes: $0) }?.string ?? "")]
    default: ["n", nil]
    }
  }

  private static func untagged(_ json: JSONValue) -> BSONValue? {
    guard json.arrayValue?.count == 2, let tag = json[0]?.stringValue, let value = json[1] else { return nil }
    switch tag {
    case "s": return value.stringValue.map(BSONValue.string)
    case "d": return value.doubleValue.map(BSONValue.double)
    case "i": return value.intValue.map(BSONValue.int64)
    case "t": return value.intValue.map(BSONValue.date(milliseconds:))
    case "o": return value.stringValue.flatMap { ObjectID(hex: $0) }.map(BSONValue.objectID)
    case "u": return value.stringValue.flatMap { UUIDBytes($0) }.map { .uuid($0.bytes) }
    case "n": return value.isNull ? .null : nil
    default: return nil
    }
  }
}
