import BSON
import CRMCore
import Mongo

/// Which orders to list.
public struct OrderQuery: Sendable {
  public var leadID: ObjectID?
  public var search: String?
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
    try await page(
      ListQuery(
        collection: Collections.orders, filter: query.filter, order: query.order, start: query.start,
        limit: query.limit)
    ) { try Order(bson: $0) }
  }
}
