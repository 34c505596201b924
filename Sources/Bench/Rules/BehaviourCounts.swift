import BSON
import CRMCore
import CRMStore
import Crypto
import JSON
import Mongo
import Runtime

/// What rules about orders and messages cost at size, by the product's own preview.
struct BehaviourCounts {
  let mongo: BenchMongo
  let console: Console
  let rounds: Int

  struct Result: Sendable {
    let name: String
    let explanation: String
    let count: Int
    /// Seconds.
    let time: Samples
    /// The server's processor time, in seconds; empty for a server that was not started here.
    let processor: Samples
  }

  /// What it took to give leads the totals over their orders.
  struct Migration: Sendable {
    let orders: Int
    let seconds: Double
    let processorSeconds: Double?
  }

  private static let timeoutMS = 300_000
  private static let batch = 10_000

  private var store: Store { Store(mongo: mongo.client, clock: SystemClock()) }

  /// Stores orders as they are, and a message for every other lead; the leads then lack their totals, as after an update
  /// from a version that had none.
  func insert(orders count: Int) async throws {
    let leads = try await ids()
    guard !leads.isEmpty else { throw BenchError("orders need leads") }
    var generator = VariedOrders(seed: 21)
    for start in stride(from: 0, to: count, by: Self.batch) {
      try Task.checkCancellation()
      let orders = (start..<min(start + Self.batch, count)).map { generator.next($0, leads: leads).bson() }
      _ = try await mongo.client.withConnection { try $0.insertMany(Collections.orders, orders) }
      if (start + Self.batch) % 1_000_000 == 0 { console.progress("  \(grouped(start + Self.batch)) orders stored") }
    }
    let campaign = ObjectID()
    let run = UUIDBytes()
    let written = stride(from: 0, to: leads.count, by: 2).map { leads[$0] }
    for start in stride(from: 0, to: written.count, by: Self.batch) {
      try Task.checkCancellation()
      let messages = written[start..<min(start + Self.batch, written.count)].enumerated().map { index, lead in
        LoggedMessage.document(
          lead: lead, campaign: campaign, run: run, status: index % 10 == 0 ? .failed : .delivered,
          at: VariedLeads.now.advanced(by: .seconds(-86_400 * (index % 60))))
      }
      _ = try await mongo.client.withConnection { try $0.insertMany(Collections.communicationLogs, messages) }
    }
    _ = try await mongo.client.withConnection { connection in
      try connection.updateMany(Collections.migrations, [:], ["$set": ["complete": false]])
    }
  }

  /// Lets the product count the orders of all leads, as an expander does after an update.
  func countTotals(orders: Int) async throws -> Migration {
    let began = (ContinuousClock.now, mongo.process?.cpuSeconds)
    guard try await store.continueOrderTotals(pages: .max) else { throw BenchError("the totals are not complete") }
    return Migration(
      orders: orders, seconds: began.0.duration(to: .now) / .seconds(1),
      processorSeconds: began.1.flatMap { began in mongo.process.map { $0.cpuSeconds - began } })
  }

  func run(_ name: String, _ rule: JSONValue) async throws -> Result {
    let rule = ZonedRule(rule: try Rule.decode(rule), zone: .utc)
    let store = store
    var time = Samples()
    var processor = Samples()
    var counts: Set<Int> = []
    // The first round warms the caches and counts for nothing.
    for round in 0...rounds {
      try Task.checkCancellation()
      let began = (ContinuousClock.now, mongo.process?.cpuSeconds)
      counts.insert(try await store.countOfPreview(rule, timeoutMS: Self.timeoutMS))
      guard round > 0 else { continue }
      time.add(began.0.duration(to: .now) / .seconds(1))
      if let used = began.1, let process = mongo.process { processor.add(process.cpuSeconds - used) }
    }
    guard counts.count == 1, let count = counts.first else {
      throw BenchError("\(name): counted differently: \(counts.sorted())")
    }
    return Result(
      name: name, explanation: rule.rule.explanation(), count: count, time: time, processor: processor)
  }

  private func ids() async throws -> [ObjectID] {
    try await mongo.client.withConnection { connection in
      var ids: [ObjectID] = []
      try connection.find(Collections.leads, [:], FindOptions(projection: ["_id": 1], sort: ["_id": 1])) { lead in
        if let id = lead["_id"]?.objectIDValue { ids.append(id) }
        return .more
      }
      return ids
    }
  }
}

extension BehaviourCounts {
  private static func orders(
    _ measure: String, _ op: String, _ value: JSONValue, within: String? = nil, of product: String? = nil
  ) -> JSONValue {
    var rule: JSONObject = [
      "type": "orders", "measure": .string(measure), "operator": .string(op), "value": value,
    ]
    if let within { rule["within"] = .string(within) }
    if let product {
      rule["where"] = ["type": "condition", "field": "items.sku", "operator": "=", "value": .string(product)]
    }
    return .object(rule)
  }

  private static let common = "SKU-0"

  static let questions: [(name: String, rule: JSONValue)] = [
    ("3 orders or more", orders("count", ">=", 3)),
    ("spent over 1,000 on all orders", orders("sum", ">", 1_000)),
    ("an order in 7 days", orders("count", ">=", 1, within: "7 days")),
    ("an order in 30 days", orders("count", ">=", 1, within: "30 days")),
    ("an order in a year", orders("count", ">=", 1, within: "1 year")),
    ("no order in 90 days", orders("count", "=", 0, within: "90 days")),
    ("3 orders in 30 days", orders("count", ">=", 3, within: "30 days")),
    ("3 orders in 90 days", orders("count", ">=", 3, within: "90 days")),
    ("3 orders in a year", orders("count", ">=", 3, within: "1 year")),
    ("over 500 in 90 days", orders("sum", ">", 500, within: "90 days")),
    ("a common product in 90 days", orders("count", ">=", 1, within: "90 days", of: common)),
    ("a common product ever", orders("count", ">=", 1, of: common)),
    ("a rare product ever", orders("count", ">=", 1, of: VariedOrders.rareProduct)),
    (
      "3 orders in 90 days, of few leads",
      [
        "op": "AND",
        "children": [
          ["type": "condition", "field": "total_spend", "operator": "BETWEEN", "value": [15_000, 15_200]],
          orders("count", ">=", 3, within: "90 days"),
        ],
      ]
    ),
    ("a message that arrived", ["type": "campaign", "campaign_id": "any", "status": "DELIVERED"]),
    (
      "no message in 30 days",
      ["type": "campaign", "campaign_id": "any", "status": "any", "within": "30 days", "negate": true]
    ),
  ]
}
