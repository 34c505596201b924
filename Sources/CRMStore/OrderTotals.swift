import BSON
import CRMCore
import CivilTime
import Mongo
import Synchronization

/// What all of a lead's orders amount to, kept in the lead's document: `order_totals` with
/// `count`, `sum`, `average`, `first`, and the dates of the newest orders from `last` to `last8`, as many as there are. Rules
/// about all orders, and about a few recent ones, are answered from them.
///
/// Unlike `total_spend`, `visits` and `last_order_at` they know no opening balance: they are what a count of the orders
/// would give. They move in the transaction that stores an order. A lead without orders has none of them.
struct OrderTotals {
  let count: Int64
  let sum: Double
  /// Milliseconds since the epoch.
  let first: Int64
  /// The newest first; at least one, at most `Order.datesOnLead`.
  let newest: [Int64]

  /// Of totals with all that is told above. Earlier ones have less, and are counted anew.
  static let version: Int64 = 2

  /// Counts the orders of some leads; those without any are missing. Within a transaction, its own orders count.
  static func count(
    of leads: [ObjectID], _ connection: MongoConnection
  ) throws -> [ObjectID: OrderTotals] {
    guard !leads.isEmpty else { return [:] }
    var totals: [ObjectID: OrderTotals] = [:]
    let pipeline: [BSONDocument] = [
      ["$match": ["lead_id": ["$in": .array(leads.map { .objectID($0) })]]],
      [
        "$group": [
          "_id": "$lead_id", "count": ["$sum": 1], "sum": ["$sum": "$amount"], "first": ["$min": "$ordered_at"],
          "newest": ["$maxN": ["input": "$ordered_at", "n": .int64(Int64(Order.datesOnLead))]],
        ]
      ],
    ]
    try connection.aggregate(Collections.orders, pipeline) { document in
      if let id = document["_id"]?.objectIDValue, let count = document["count"]?.int64Value,
        let sum = document["sum"]?.doubleValue, let first = document["first"]?.dateMilliseconds,
        let newest = document["newest"]?.arrayValue?.compactMap(\.dateMilliseconds), !newest.isEmpty
      {
        totals[id] = OrderTotals(count: count, sum: sum, first: first, newest: newest.sorted(by: >))
      }
      return .more
    }
    return totals
  }

  /// The totals after some more orders.
  ///
  /// - Parameters:
  ///   - amount: of the new orders, and the differences that corrections make.
  ///   - dates: of the new orders.
  func moved(by amount: Double, dates: [Timestamp]) -> OrderTotals {
    let dates = dates.map(\.milliseconds)
    return OrderTotals(
      count: count + Int64(dates.count), sum: roundedMoney(sum + amount), first: min(first, dates.min() ?? first),
      newest: Array((newest + dates).sorted(by: >).prefix(Order.datesOnLead)))
  }
}

extension OrderTotals {
  /// Nil: there are none, or they are of an earlier version.
  init?(_ document: BSONDocument?) {
    guard let document, document["version"]?.int64Value == OrderTotals.version,
      let count = document["count"]?.int64Value, let sum = document["sum"]?.doubleValue,
      let first = document["first"]?.dateMilliseconds
    else { return nil }
    self.init(
      count: count, sum: sum, first: first,
      newest: Order.dateKeys.compactMap { document[$0]?.dateMilliseconds })
  }

  var document: BSONDocument {
    var document = BSONDocument()
    document.append("version", OrderTotals.version)
    document.append("count", count)
    document.append("sum", roundedMoney(sum))
    document.append("average", roundedMoney(sum) / Double(count))
    document.appendDate("first", milliseconds: first)
    for (key, date) in zip(Order.dateKeys, newest) { document.appendDate(key, milliseconds: date) }
    return document
  }
}

/// Six digits after the point: the errors of binary addition must not pile up. Where a double has fewer, it stays as it is.
func roundedMoney(_ amount: Double) -> Double {
  let scaled = amount * 1e6
  return abs(scaled) < 9e15 ? scaled.rounded(.toNearestOrEven) / 1e6 : amount
}

/// Remembers that the totals are complete, which they stay for ever.
final class OrderTotalsState: Sendable {
  private let complete = Mutex(false)

  var isComplete: Bool { complete.withLock { $0 } }
  func setComplete() { complete.withLock { $0 = true } }
}

extension Store {
  static let orderTotalsMigration: BSONDocument = ["_id": .string("order_totals/\(OrderTotals.version)")]
  /// Leads whose orders have still to be counted, or who have none.
  private static let withoutOrderTotals: BSONDocument = ["order_totals.version": ["$ne": .int64(OrderTotals.version)]]
  /// Leads counted in one transaction.
  private static let orderTotalsPage = 500

  /// Whether every lead with orders has totals. Until then, rules about all orders count the orders themselves.
  public func orderTotalsAreComplete() async throws -> Bool {
    if orderTotals.isComplete { return true }
    let state = try await mongo.withConnection { connection in
      try connection.findOne(Collections.migrations, Self.orderTotalsMigration)
    }
    guard state?["complete"]?.boolValue == true else { return false }
    orderTotals.setComplete()
    return true
  }

  /// In a database without orders the totals are complete from the beginning.
  func beginOrderTotals() async throws {
    try await mongo.withConnection { connection in
      let hasOrders = try connection.findOne(Collections.orders, [:], FindOptions(projection: ["_id": 1])) != nil
      do {
        try connection.updateOne(
          Collections.migrations, Self.orderTotalsMigration, ["$setOnInsert": ["complete": .bool(!hasOrders)]],
          upsert: true)
      } catch let error as MongoError where error.isDuplicateKey {
        // Another process was faster.
      }
    }
  }

  /// Counts the orders of leads that were stored by a version without totals, for a while.
  ///
  /// May be stopped at any moment and goes on where it was. An order that is stored meanwhile counts once: both change
  /// the lead, so one of the two transactions runs again and finds what the other did.
  /// - Parameter pages: of 500 leads each.
  /// - Returns: true when there is nothing left to do.
  public func continueOrderTotals(pages: Int) async throws -> Bool {
    if try await orderTotalsAreComplete() { return true }
    for _ in 0..<pages {
      if try await countPageOfOrders() { return true }
    }
    return false
  }

  private func countPageOfOrders() async throws -> Bool {
    let cursor = try await mongo.withConnection { connection in
      try connection.findOne(Collections.migrations, Self.orderTotalsMigration)?["cursor"]?.objectIDValue
    }
    return try await mongo.withTransaction { connection in
      var filter: BSONDocument = cursor.map { ["_id": ["$gt": .objectID($0)]] } ?? [:]
      filter.append(contentsOf: Self.withoutOrderTotals)
      let options = FindOptions(projection: ["_id": 1], sort: ["_id": 1], hint: ["_id": 1])
      let page = try connection.findAll(Collections.leads, filter, options, limit: Self.orderTotalsPage)
        .compactMap { $0["_id"]?.objectIDValue }
      guard let last = page.last else {
        try connection.updateOne(
          Collections.migrations, Self.orderTotalsMigration, ["$set": ["complete": true], "$unset": ["cursor": ""]])
        return true
      }
      let updates = try OrderTotals.count(of: page, connection).map { id, totals in
        var filter = Self.withoutOrderTotals
        filter.append("_id", id)
        return WriteModel.updateOne(filter: filter, update: ["$set": ["order_totals": .document(totals.document)]])
      }
      if !updates.isEmpty { try connection.bulkWrite(Collections.leads, updates, ordered: false).throwIfFailed() }
      try connection.updateOne(
        Collections.migrations, Self.orderTotalsMigration, ["$set": ["cursor": .objectID(last)]])
      return false
    }
  }
}
