import BSON
import CRMCore
import CivilTime
import Mongo

/// Which orders to list.
public struct OrderQuery: Sendable {
  public var leadID: ObjectID?
  /// The lead's; an address that is nobody's has no orders.
  public var email: String?
  public var search: String?
  /// Of `ordered_at`: from the first instant, up to and without the second.
  public var from: Timestamp?
  public var to: Timestamp?
  public var order: ListOrder
  public var start: PageStart
  public var limit: Int

  public init(order: ListOrder, start: PageStart, limit: Int) {
    self.order = order
    self.start = start
    self.limit = limit
  }

  var filter: BSONDocument {
    var filter = BSONDocument()
    if let leadID { filter.append("lead_id", leadID) }
    if from != nil || to != nil {
      var range = BSONDocument()
      if let from { range.appendDate("$gte", milliseconds: from.milliseconds) }
      if let to { range.appendDate("$lt", milliseconds: to.milliseconds) }
      filter.append("ordered_at", document: range)
    }
    if let search { filter.append("order_no", Store.containing(search)) }
    return filter
  }
}

extension Store {
  /// An order by its id.
  ///
  /// - Throws: `StoreError.notFound`.
  public func order(_ id: ObjectID) async throws -> Order {
    try await mongo.withConnection { connection in
      guard let document = try connection.findOne(Collections.orders, ["_id": .objectID(id)]) else {
        throw StoreError.notFound(what: "order", id: id.hex)
      }
      return try Order(bson: document)
    }
  }

  /// An order by its external number.
  ///
  /// - Throws: `StoreError.notFound`.
  public func order(number: String) async throws -> Order {
    try await mongo.withConnection { connection in
      guard let document = try connection.findOne(Collections.orders, ["order_no": .string(number)]) else {
        throw StoreError.notFound(what: "order", id: number)
      }
      return try Order(bson: document)
    }
  }

  public func orders(_ query: OrderQuery) async throws -> ListPage<Order> {
    var query = query
    if let email = query.email {
      guard let owner = try await leadID(ofEmail: email), query.leadID == nil || query.leadID == owner else {
        return ListPage(elements: [], total: 0, next: nil)
      }
      query.leadID = owner
    }
    return try await page(
      ListQuery(
        collection: Collections.orders, filter: query.filter, order: query.order, start: query.start,
        limit: query.limit)
    ) { try Order(bson: $0) }
  }

  private func leadID(ofEmail email: String) async throws -> ObjectID? {
    try await mongo.withConnection { connection in
      try connection.findOne(
        Collections.leads, ["emails": .string(email)], FindOptions(projection: ["_id": 1]))?["_id"]?.objectIDValue
    }
  }
}
