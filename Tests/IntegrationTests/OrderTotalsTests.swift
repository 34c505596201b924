import BSON
import CRMCore
import CivilTime
import JSON
import Mongo
import Testing

@testable import CRMStore

/// The totals that a lead carries are what a count of its orders gives, at every moment.
@Suite struct OrderTotalsTests {
  private static func day(_ number: Int64) -> Timestamp {
    Timestamp(milliseconds: 1_767_225_600_000 + number * 86_400_000)
  }

  private static func order(_ number: Int, of lead: Int, total: Double, day: Int64) -> OrderInput {
    OrderInput(
      orderNo: "\(number)", lead: .email("l\(lead)@x.com"), total: total, currency: "USD", orderedAt: self.day(day))
  }

  private static func store(leads count: Int) async throws -> Store {
    let store = try await TestServers.shared.store()
    let rows = (0..<count).map {
      LeadInput(name: "L\($0)", emails: ["l\($0)@x.com"], totalSpend: 1000, visits: 50, lastOrderAt: day(1000))
    }
    _ = try await store.upsertLeads(rows)
    return store
  }

  private static func randomOrders(_ count: Int, leads: Int) -> [OrderInput] {
    (0..<count).map { _ in
      order(
        Int.random(in: 0..<count), of: Int.random(in: 0..<leads), total: Double(Int.random(in: 0...9999)) / 100,
        day: Int64.random(in: 0..<200))
    }
  }

  /// What does not agree with a count of the orders.
  private static func differences(_ store: Store) async throws -> [String] {
    try await store.mongo.withConnection { connection in
      var orders: [ObjectID: [Order]] = [:]
      for document in try connection.findAll(Collections.orders, [:], limit: 100_000) {
        let order = try Order(bson: document)
        orders[order.leadID, default: []].append(order)
      }
      return try connection.findAll(Collections.leads, [:], limit: 100_000).filter { lead in
        !agrees(lead["order_totals"]?.documentValue, with: orders[lead["_id"]?.objectIDValue ?? ObjectID()] ?? [])
      }.map { "\($0)" }
    }
  }

  private static func agrees(_ totals: BSONDocument?, with orders: [Order]) -> Bool {
    guard let totals, !orders.isEmpty else { return totals == nil && orders.isEmpty }
    let sum = orders.reduce(0) { $0 + $1.amount }
    let dates = orders.map(\.orderedAt.milliseconds).sorted(by: >)
    return totals["count"]?.int64Value == Int64(orders.count)
      && abs((totals["sum"]?.doubleValue ?? -1) - sum) < 1e-6
      && abs((totals["average"]?.doubleValue ?? -1) - sum / Double(orders.count)) < 1e-6
      && totals["first"]?.dateMilliseconds == dates.last && totals["newest"] == nil
      && Order.dateKeys.compactMap { totals[$0]?.dateMilliseconds } == Array(dates.prefix(Order.datesOnLead))
  }

  @Test func ordersRepetitionsAndCorrectionsMoveTheTotals() async throws {
    let store = try await Self.store(leads: 10)
    for _ in 0..<4 {
      _ = try await store.applyOrders(Self.randomOrders(120, leads: 10))
      #expect(try await Self.differences(store) == [])
    }
  }

  @Test func totalsKnowNoOpeningBalance() async throws {
    let store = try await Self.store(leads: 1)
    _ = try await store.applyOrders([Self.order(1, of: 0, total: 5, day: 3)])
    let lead = try #require(try await store.mongo.withConnection { try $0.findOne(Collections.leads, [:]) })
    #expect(lead["visits"]?.int64Value == 51 && lead[path: "order_totals.count"]?.int64Value == 1)
    #expect(lead["total_spend"]?.doubleValue == 1005 && lead[path: "order_totals.sum"]?.doubleValue == 5)
    #expect(lead[path: "order_totals.last"]?.dateMilliseconds == Self.day(3).milliseconds)
  }

  /// What earlier versions left in the database.
  enum Legacy: CaseIterable {
    case noTotals
    /// All but the dates before the last order's.
    case totalsOfOneDate

    fileprivate var missing: [String] {
      switch self {
      case .noTotals: ["order_totals"]
      case .totalsOfOneDate: ["order_totals.version"] + Order.dateKeys.dropFirst().map { "order_totals.\($0)" }
      }
    }
  }

  private static func forgetTotals(_ store: Store, _ legacy: Legacy = .noTotals) async throws -> Store {
    try await store.mongo.withConnection { connection in
      var missing = BSONDocument()
      for field in legacy.missing { missing.append(field, "") }
      _ = try connection.updateMany(Collections.leads, [:], ["$unset": .document(missing)])
      _ = try connection.deleteMany(Collections.migrations, [:])
    }
    let store = Store(mongo: store.mongo, clock: store.clock)
    try await store.ensureSchema()
    return store
  }

  @Test(arguments: Legacy.allCases)
  func ordersOfAnEarlierVersionAreCountedWhileNewOnesCome(_ legacy: Legacy) async throws {
    let before = try await Self.store(leads: 1200)
    _ = try await before.applyOrders(Self.randomOrders(1500, leads: 1200))
    let store = try await Self.forgetTotals(before, legacy)
    #expect(try await !store.orderTotalsAreComplete())
    async let counted: Void = {
      while try await !store.continueOrderTotals(pages: 1) {}
    }()
    async let stored = store.applyOrders(Self.randomOrders(1500, leads: 1200))
    _ = try await (counted, stored)
    #expect(try await store.orderTotalsAreComplete())
    #expect(try await Self.differences(store) == [])
  }

  @Test func rulesAboutAllOrdersFindTheSameLeadsBeforeAndAfterTheTotalsAreComplete() async throws {
    let counted = try await Self.store(leads: 30)
    _ = try await counted.applyOrders(Self.randomOrders(60, leads: 25))
    let uncounted = try await Self.forgetTotals(counted)
    let day = "2026-03-01"
    var rules: [JSONValue] = []
    for op in ["=", "!=", ">", "<", ">=", "<="] {
      for value in [0, 1, 2, 3] as [JSONValue] { rules.append(Self.rule("count", op, value)) }
      for value in [0, 50.5] as [JSONValue] {
        rules += [Self.rule("sum", op, value), Self.rule("average", op, value)]
      }
      rules += [Self.rule("first", op, .string(day)), Self.rule("last", op, .string(day))]
    }
    rules += [
      Self.rule("count", "IN", [0, 2]), Self.rule("count", "NOT_IN", [0, 2]),
      Self.rule("sum", "BETWEEN", [0, 70]), Self.rule("last", "WITHIN_LAST", "60 days"),
    ]
    func found(_ json: JSONValue) async throws -> (asks: Bool, ids: [ObjectID]) {
      let rule = ZonedRule(rule: try Rule.decode(json), zone: .utc)
      let compiled = try await uncounted.compile(rule, now: Self.day(100))
      let leads = try await uncounted.sample(compiled, limit: 100, timeoutMS: 60_000)
      return (!compiled.behaviours.isEmpty, leads.map(\.id))
    }
    var before: [[ObjectID]] = []
    for json in rules {
      let (asks, ids) = try await found(json)
      #expect(asks)
      before.append(ids)
    }
    while try await !uncounted.continueOrderTotals(pages: 1) {}
    for (json, ids) in zip(rules, before) {
      let after = try await found(json)
      #expect(!after.asks && after.ids == ids, "\(json.encodedString())")
      for id in ids.prefix(3) {
        let rule = ZonedRule(rule: try Rule.decode(json), zone: .utc)
        #expect(try await uncounted.evaluate(rule, lead: .stored(id), now: Self.day(100), timeoutMS: 60_000).matches)
      }
    }
  }

  private static func rule(_ measure: String, _ op: String, _ value: JSONValue) -> JSONValue {
    ["type": "orders", "measure": .string(measure), "operator": .string(op), "value": value]
  }
}
