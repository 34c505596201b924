import BSON
import CRMCore
import CivilTime
import Mongo

extension Store {
  /// Rows in one transaction: small enough that it is over soon and seldom meets another.
  static let orderBatch = 500

  /// Stores orders by their number and moves their leads' totals, exactly once however often a call is repeated.
  ///
  /// A number that is known with the same content changes nothing; with other content it is a correction, and the lead's
  /// totals move by the difference. An order and its share of the totals are written in one transaction. A row is
  /// rejected when its lead is unknown, or when its number is an order of another lead.
  /// - Returns: an outcome for each row, in their order.
  public func applyOrders(_ rows: [OrderInput]) async throws -> [RowOutcome] {
    let now = clock.now()
    let plan = RowBatches(rows: rows.count, size: Store.orderBatch) { rows[$0].batchKeys }
    return try await Store.runBatches(plan.batches, rows: rows.count, concurrency: 3) { batch in
      try await applyOrderBatch(batch.map { rows[$0] }, now: now)
    }
  }

  /// A number that another transaction took meanwhile aborts this one; the next attempt finds that order.
  private func applyOrderBatch(_ rows: [OrderInput], now: Timestamp) async throws -> [RowOutcome] {
    var attempts = 0
    while true {
      do {
        return try await mongo.withTransaction { connection in
          var batch = OrderBatch(rows: rows, now: now)
          return try batch.run(connection)
        }
      } catch let error as MongoError where Store.isDuplicate(error) && attempts < 5 {
        attempts += 1
      }
    }
  }
}

extension Store {
  private static func isDuplicate(_ error: MongoError) -> Bool {
    error.isDuplicateKey || error.bulkResult?.errors.contains(where: \.isDuplicateKey) == true
  }
}

extension OrderInput {
  /// Rows about one order, or about one lead, must not be written side by side.
  fileprivate var batchKeys: [String] {
    switch lead {
    case .id(let id): ["order/\(orderNo)", "lead/\(id.hex)"]
    case .email(let email): ["order/\(orderNo)", "lead/\(email)"]
    }
  }
}

/// One transaction's worth of orders.
private struct OrderBatch {
  private struct LeadState {
    var spend = 0.0
    var orders: Int64 = 0
    var latest: Timestamp?
    /// Of the new orders.
    var dates: [Timestamp] = []
    /// The latest order moved to an earlier date: which one is the latest now must be looked up.
    var latestIsUnknown = false
    /// An order of this lead changed its date.
    var hasNewDates = false
    /// As the lead was read in this transaction; whoever changes it meanwhile makes the transaction run again.
    let stored: Stored

    /// The totals over the lead's orders cannot be moved by a difference.
    var mustRecount: Bool { stored.totals == nil || hasNewDates }
  }

  private struct Stored {
    let spend: Double
    let visits: Int64
    let latest: Timestamp?
    let totals: OrderTotals?

    init(_ lead: BSONDocument) {
      spend = lead["total_spend"]?.doubleValue ?? 0
      visits = lead["visits"]?.int64Value ?? 0
      latest = lead["last_order_at"]?.dateMilliseconds.map { Timestamp(milliseconds: $0) }
      totals = OrderTotals(lead["order_totals"]?.documentValue)
    }
  }

  private struct Draft {
    var order: Order
    let isNew: Bool
    var isChanged: Bool
  }

  let rows: [OrderInput]
  let now: Timestamp
  private var leads: [ObjectID: LeadState] = [:]
  private var leadByEmail: [String: ObjectID] = [:]
  private var drafts: [Draft] = []
  private var draftByNumber: [String: Int] = [:]

  init(rows: [OrderInput], now: Timestamp) {
    self.rows = rows
    self.now = now
  }

  mutating func run(_ connection: MongoConnection) throws -> [RowOutcome] {
    try readLeads(connection)
    try readOrders(connection)
    let outcomes = rows.map { apply($0) }
    try writeOrders(connection)
    try writeTotals(connection)
    return outcomes
  }

  private mutating func readLeads(_ connection: MongoConnection) throws {
    var ids: [BSONValue] = []
    var emails: [BSONValue] = []
    for row in rows {
      switch row.lead {
      case .id(let id): ids.append(.objectID(id))
      case .email(let email): emails.append(.string(email))
      }
    }
    var options = FindOptions()
    options.projection = [
      "_id": 1, "emails": 1, "last_order_at": 1, "total_spend": 1, "visits": 1, "order_totals": 1,
    ]
    for (field, values) in [("_id", ids), ("emails", emails)] where !values.isEmpty {
      try connection.find(Collections.leads, [field: ["$in": .array(values)]], options) { document in
        guard let id = document["_id"]?.objectIDValue else { return .more }
        leads[id] = LeadState(stored: Stored(document))
        for email in document["emails"]?.arrayValue ?? [] {
          if let email = email.stringValue { leadByEmail[email] = id }
        }
        return .more
      }
    }
  }

  private mutating func readOrders(_ connection: MongoConnection) throws {
    let numbers = rows.map { BSONValue.string($0.orderNo) }
    try connection.find(Collections.orders, ["order_no": ["$in": .array(numbers)]]) { document in
      let order = try Order(bson: document)
      draftByNumber[order.orderNo] = drafts.count
      drafts.append(Draft(order: order, isNew: false, isChanged: false))
      return .more
    }
  }

  private mutating func apply(_ row: OrderInput) -> RowOutcome {
    let lead: ObjectID?
    let field: String
    switch row.lead {
    case .id(let id): (lead, field) = (leads[id] == nil ? nil : id, "lead_id")
    case .email(let email): (lead, field) = (leadByEmail[email], "email")
    }
    guard let lead else {
      return .rejected([FieldError(field: field, code: "unknown_lead", message: "there is no such lead")])
    }
    guard let known = draftByNumber[row.orderNo] else {
      let order = row.newOrder(id: ObjectID(), leadID: lead, at: now)
      draftByNumber[row.orderNo] = drafts.count
      drafts.append(Draft(order: order, isNew: true, isChanged: false))
      count(order, for: lead)
      return .inserted
    }
    let old = drafts[known].order
    guard old.leadID == lead else {
      return .rejected([
        FieldError(field: "order_no", code: "foreign_order", message: "this number is an order of another lead")
      ])
    }
    let (new, changed) = row.merged(into: old, at: now)
    guard changed else { return .unchanged }
    drafts[known].order = new
    drafts[known].isChanged = true
    correct(old, to: new, for: lead)
    return .modified
  }

  private mutating func count(_ order: Order, for lead: ObjectID) {
    guard var state = leads[lead] else { return }
    state.spend += order.amount
    state.orders += 1
    state.latest = max(state.latest ?? order.orderedAt, order.orderedAt)
    state.dates.append(order.orderedAt)
    leads[lead] = state
  }

  private mutating func correct(_ old: Order, to new: Order, for lead: ObjectID) {
    leads[lead]?.spend += new.amount - old.amount
    guard new.orderedAt != old.orderedAt, let state = leads[lead] else { return }
    leads[lead]?.hasNewDates = true
    // An opening balance may be later than any order; only the date that this order gave is taken back.
    let latest = max(state.stored.latest ?? old.orderedAt, state.latest ?? old.orderedAt)
    if old.orderedAt == latest, new.orderedAt < old.orderedAt {
      leads[lead]?.latestIsUnknown = true
    } else {
      leads[lead]?.latest = max(state.latest ?? new.orderedAt, new.orderedAt)
    }
  }

  private func writeOrders(_ connection: MongoConnection) throws {
    let new = drafts.filter(\.isNew).map { $0.order.bson() }
    if !new.isEmpty { try connection.insertMany(Collections.orders, new, ordered: false).throwIfFailed() }
    let corrections = drafts.filter { $0.isChanged && !$0.isNew }.map {
      WriteModel.replaceOne(filter: ["_id": .objectID($0.order.id)], replacement: $0.order.bson())
    }
    if !corrections.isEmpty {
      try connection.bulkWrite(Collections.orders, corrections, ordered: false).throwIfFailed()
    }
  }

  private func writeTotals(_ connection: MongoConnection) throws {
    let moved = leads.filter { _, state in
      state.orders != 0 || state.spend != 0 || state.latest != nil || state.hasNewDates
    }
    let recounted = try OrderTotals.count(of: moved.filter(\.value.mustRecount).map(\.key), connection)
    let updates = moved.map { id, state in
      var set = BSONDocument()
      set.append("total_spend", roundedMoney(state.stored.spend + state.spend))
      set.append("visits", state.stored.visits + state.orders)
      set.appendDate("updated_at", milliseconds: now.milliseconds)
      if state.latestIsUnknown, let latest = recounted[id]?.newest.first {
        set.appendDate("last_order_at", milliseconds: latest)
      } else if let latest = state.latest, state.stored.latest.map({ latest > $0 }) ?? true {
        set.appendDate("last_order_at", milliseconds: latest.milliseconds)
      }
      let totals = recounted[id] ?? state.stored.totals?.moved(by: state.spend, dates: state.dates)
      if let totals { set.append("order_totals", document: totals.document) }
      return WriteModel.updateOne(filter: ["_id": .objectID(id)], update: ["$set": .document(set)])
    }
    guard !updates.isEmpty else { return }
    try connection.bulkWrite(Collections.leads, updates, ordered: false).throwIfFailed()
  }
}
