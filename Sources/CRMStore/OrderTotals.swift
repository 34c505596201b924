import BSON
import CRMCore
import CivilTime
import Mongo
import Synchronization

/// What all of a lead's orders amount to, kept in the lead's document: `order_totals` with
/// `count`, `sum`, `average`, `first` and `last`. Rules about all orders are answered from them.
///
/// Unlike `total_spend`, `visits` and `last_order_at` they know no opening balance: they are what a count of the orders
/// would give. They move in the transaction that stores an order. A lead without orders has none of them.
struct OrderTotals {
  let count: Int64
  let sum: Double
  /// Milliseconds since the epoch.
  let first: Int64
  let last: Int64

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
          "last": ["$max": "$ordered_at"],
        ]
      ],
    ]
    try connection.aggregate(Collections.orders, pipeline) { document in
      if let id = document["_id"]?.objectIDValue, let count = document["count"]?.int64Value,
        let sum = document["sum"]?.doubleValue, let first = document["first"]?.dateMilliseconds,
        let last = document["last"]?.dateMilliseconds
      {
        totals[id] = OrderTotals(count: count, sum: sum, first: first, last: last)
      }
      return .more
    }
    return totals
  }

  /// Adds the totals to what an update pipeline sets; `average` has to follow.
  func append(to set: inout BSONDocument) {
    set.append("order_totals.count", count)
    set.append("order_totals.sum", ["$round": [.double(sum), 6]])
    set.appendDate("order_totals.first", milliseconds: first)
    set.appendDate("order_totals.last", milliseconds: last)
  }

  /// Adds to what an update pipeline sets that totals which are there move by some orders.
  ///
  /// - Parameter sum: of the new orders' amounts and of the differences that corrections make.
  static func append(
    orders: Int64, sum: Double, first: Timestamp?, last: Timestamp?, to set: inout BSONDocument
  ) {
    set.append("order_totals.count", ["$add": ["$order_totals.count", .int64(orders)]])
    // As total_spend is rounded: the errors of binary addition must not pile up.
    set.append("order_totals.sum", ["$round": [["$add": ["$order_totals.sum", .double(sum)]], 6]])
    if let first {
      set.append("order_totals.first", ["$min": ["$order_totals.first", .date(milliseconds: first.milliseconds)]])
    }
    if let last {
      set.append("order_totals.last", ["$max": ["$order_totals.last", .date(milliseconds: last.milliseconds)]])
    }
  }

  /// The stage after the one that sets the others.
  static let average: BSONDocument = [
    "$set": ["order_totals.average": ["$divide": ["$order_totals.sum", "$order_totals.count"]]]
  ]
}

/// Remembers that the totals are complete, which they stay for ever.
final class OrderTotalsState: Sendable {
  private let complete = Mutex(false)

  var isComplete: Bool { complete.withLock { $0 } }
  func setComplete() { complete.withLock { $0 = true } }
}

extension Store {
  private static let orderTotalsMigration: BSONDocument = ["_id": "order_totals"]
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
      filter.append("order_totals", ["$exists": false])
      let options = FindOptions(projection: ["_id": 1], sort: ["_id": 1], hint: ["_id": 1])
      let page = try connection.findAll(Collections.leads, filter, options, limit: Self.orderTotalsPage)
        .compactMap { $0["_id"]?.objectIDValue }
      guard let last = page.last else {
        try connection.updateOne(
          Collections.migrations, Self.orderTotalsMigration, ["$set": ["complete": true], "$unset": ["cursor": ""]])
        return true
      }
      let updates = try OrderTotals.count(of: page, connection).map { id, totals in
        var set = BSONDocument()
        totals.append(to: &set)
        return WriteModel.updateOnePipeline(
          filter: ["_id": .objectID(id), "order_totals": ["$exists": false]],
          pipeline: [["$set": .document(set)], OrderTotals.average])
      }
      if !updates.isEmpty { try connection.bulkWrite(Collections.leads, updates, ordered: false).throwIfFailed() }
      try connection.updateOne(
        Collections.migrations, Self.orderTotalsMigration, ["$set": ["cursor": .objectID(last)]])
      return false
    }
  }
}
