import BSON
import CRMCore
import Mongo

/// Where in a list to read: a numbered page, or what follows a place that an earlier page ended at.
public enum PageStart: Sendable, Equatable {
  /// Counted from 1.
  case page(Int)
  case after(ListCursor)
}

/// A place in a sorted list: the last document's sort value and id. It stays valid when documents come and go.
public struct ListCursor: Sendable, Equatable {
  /// `.null` when the document has no such field.
  public var value: BSONValue
  public var id: BSONValue

  public init(value: BSONValue, id: BSONValue) {
    self.value = value
    self.id = id
  }
}

/// A field to sort by; ties are broken by `_id` in the same direction, so that every order is total.
public struct ListOrder: Sendable, Equatable {
  public var field: String
  public var ascending: Bool

  public init(field: String, ascending: Bool) {
    self.field = field
    self.ascending = ascending
  }

  var sort: BSONDocument {
    let direction: BSONValue = ascending ? 1 : -1
    return field == "_id" ? ["_id": direction] : [field: direction, "_id": direction]
  }

  /// What lies beyond a place in this order. A missing field counts as lower than every value, as MongoDB sorts it.
  func filter(after cursor: ListCursor) -> BSONDocument {
    let beyond = ascending ? "$gt" : "$lt"
    guard field != "_id" else { return ["_id": [beyond: cursor.id]] }
    let tie: BSONValue = [field: ["$eq": cursor.value], "_id": [beyond: cursor.id]]
    if cursor.value.isNull {
      return ascending ? ["$or": [tie, [field: ["$ne": nil]]]] : [field: ["$eq": nil], "_id": [beyond: cursor.id]]
    }
    let further: BSONValue = [field: [beyond: cursor.value]]
    return ascending ? ["$or": [further, tie]] : ["$or": [further, tie, [field: ["$eq": nil]]]]
  }
}

/// One page of a list.
public struct ListPage<Element: Sendable>: Sendable {
  public var elements: [Element]
  /// How many there are on all pages.
  public var total: Int
  /// Where the next page begins; nil on the last one.
  public var next: ListCursor?

  public init(elements: [Element], total: Int, next: ListCursor?) {
    self.elements = elements
    self.total = total
    self.next = next
  }
}

/// A list to read.
struct ListQuery: Sendable {
  var collection: String
  var filter: BSONDocument
  var order: ListOrder
  var start: PageStart
  /// Elements on a page.
  var limit: Int
  var timeoutMS: Int = 10_000
}

extension Store {
  /// Reads one page and counts all.
  func page<Element: Sendable>(
    _ query: ListQuery, _ decode: @escaping @Sendable (BSONDocument) throws -> Element
  ) async throws -> ListPage<Element> {
    try await mongo.withConnection { connection in
      let total =
        query.filter.isEmpty
        ? try connection.estimatedCount(query.collection)
        : try connection.count(query.collection, query.filter, maxTimeMS: query.timeoutMS)
      var filter = query.filter
      var options = FindOptions()
      options.sort = query.order.sort
      options.maxTimeMS = query.timeoutMS
      // One more than asked for tells whether there is a next page.
      options.limit = query.limit + 1
      switch query.start {
      case .page(let number):
        let skip = (number - 1) * query.limit
        guard skip < total else { return ListPage(elements: [], total: total, next: nil) }
        options.skip = skip
      case .after(let cursor):
        let place = query.order.filter(after: cursor)
        filter = query.filter.isEmpty ? place : ["$and": [.document(query.filter), .document(place)]]
      }
      var documents = try connection.findAll(query.collection, filter, options, limit: query.limit + 1)
      var next: ListCursor?
      if documents.count > query.limit {
        documents.removeLast()
        next = documents.last.map {
          ListCursor(value: $0[path: query.order.field] ?? .null, id: $0["_id"] ?? .null)
        }
      }
      return ListPage(elements: try documents.map(decode), total: total, next: next)
    }
  }

  /// A pattern that finds `text` anywhere, letters in either case, nothing in it being special.
  static func containing(_ text: String) -> BSONValue {
    var pattern = ""
    for scalar in text.unicodeScalars {
      if #"\^$.|?*+()[]{}/-#"#.unicodeScalars.contains(scalar) { pattern += "\\" }
      pattern.unicodeScalars.append(scalar)
    }
    return .regex(pattern: pattern, options: "i")
  }
}
