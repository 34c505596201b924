import BSON
import CRMCore
import CRMStore
import CivilTime
import Foundation
import JSON
import Mongo
import Runtime
import ServiceHost

/// `minicrm-bench rules`: what rules cost, in memory and in the database.
struct RulesBenchmark: Sendable {
  let options: RulesOptions
  let environment: [String: String]
  let console: Console

  /// (spent more than 1,000 and visited fewer than 5 times) or (ordered within 30 days, in one of two cities, with a tag)
  private static let fiveConditions: JSONValue = [
    "op": "OR",
    "children": [
      [
        "op": "AND",
        "children": [
          ["type": "condition", "field": "total_spend", "operator": ">", "value": 1_000],
          ["type": "condition", "field": "visits", "operator": "<", "value": 5],
        ],
      ],
      [
        "op": "AND",
        "children": [
          ["type": "condition", "field": "last_order_at", "operator": "WITHIN_LAST", "value": "30 days"],
          ["type": "condition", "field": "metadata.city", "operator": "IN", "value": ["Lisbon", "Pune"]],
          ["type": "condition", "field": "tags", "operator": "HAS_ANY", "value": ["vip"]],
        ],
      ],
    ],
  ]

  private static let indexable: JSONValue = [
    "op": "AND",
    "children": [
      ["type": "condition", "field": "total_spend", "operator": "BETWEEN", "value": [15_000, 15_200]],
      ["type": "condition", "field": "visits", "operator": "<", "value": 5],
    ],
  ]

  func run() async throws {
    let machine = await Machine.current()
    console.progress("in memory: \(grouped(options.decodedLeads)) leads")
    let rule = try Rule.decode(Self.fiveConditions)
    let speed = try RuleSpeed(rule: rule, json: Self.fiveConditions).run(leads: options.decodedLeads)
    var report = RulesReport(machine: machine, rule: Self.fiveConditions, speed: speed, leads: options.leads)
    for line in report.heading + [""] + report.memory(rule) { console.line(line) }
    guard options.leads > 0 else { return }
    report.database = try await Interruption.cancelling {
      try await BenchMongo.with(environment: environment, console: console) { mongo in
        try await measure(mongo)
      }
    }
    for line in report.databaseLines { console.line(line) }
    let file = try report.write(to: options.results)
    console.line("\nwritten to \(file)")
  }

  private func measure(_ mongo: BenchMongo) async throws -> RulesReport.Database {
    let version = try await mongo.client.withConnection { try $0.command(["buildInfo": 1]) }["version"]?.stringValue
    var database = RulesReport.Database(version: version ?? "unknown")
    let counts = RuleCounts(store: Store(mongo: mongo.client, clock: SystemClock()), console: console)
    console.progress("in the database: \(grouped(options.leads)) leads")
    try await counts.insert(leads: options.leads)
    for question in questions {
      console.progress("  \(question.name)")
      database.counts.append(try await counts.run(question))
    }
    if options.orders > 0 {
      console.progress("orders: \(grouped(options.orders))")
      let behaviour = BehaviourCounts(mongo: mongo, console: console, rounds: min(options.rounds, 5))
      try await behaviour.insert(orders: options.orders)
      console.progress("  totals of all leads")
      database.migration = try await behaviour.countTotals(orders: options.orders)
      for (name, rule) in BehaviourCounts.questions {
        console.progress("  \(name)")
        database.behaviours.append(try await behaviour.run(name, rule))
      }
    }
    if options.indexRows > 0 {
      guard let process = mongo.process else {
        throw BenchError("the cost of an index can be measured only on a server that is started here")
      }
      console.progress("indexes: \(grouped(options.indexRows)) rows each")
      database.indexes = try await IndexCosts(mongo: mongo, process: process, console: console, rows: options.indexRows)
        .run()
    }
    return database
  }

  private var questions: [RuleCounts.Question] {
    let (now, month) = (VariedLeads.now.milliseconds, Int64(30) * 86_400_000)
    let recent: BSONValue = ["$gte": .date(milliseconds: now - month), "$lte": .date(milliseconds: now)]
    return [
      RuleCounts.Question(
        name: "five conditions", rule: Self.fiveConditions,
        byHand: [
          [
            "$or": [
              ["total_spend": ["$gt": 1_000], "visits": ["$lt": 5]],
              ["last_order_at": recent, "metadata.city": ["$in": ["Lisbon", "Pune"]], "tags": "vip"],
            ]
          ],
          [
            "$or": [
              ["visits": ["$lt": 5], "total_spend": ["$gt": 1_000]],
              ["tags": "vip", "metadata.city": ["$in": ["Lisbon", "Pune"]], "last_order_at": recent],
            ]
          ],
        ], rounds: options.rounds),
      RuleCounts.Question(
        name: "indexable", rule: Self.indexable,
        byHand: [["total_spend": ["$gte": 15_000, "$lte": 15_200], "visits": ["$lt": 5]]],
        rounds: max(options.rounds, 100)),
    ]
  }
}
