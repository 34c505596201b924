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
    for line in heading(machine) + [""] + memory(speed, rule) { console.line(line) }
    guard options.leads > 0 else { return }
    let (counts, version) = try await Interruption.cancelling {
      try await BenchMongo.with(environment: environment, console: console) { mongo in
        try await count(mongo)
      }
    }
    console.line()
    for line in database(counts, version) { console.line(line) }
    let file = try write(machine, version, speed, counts)
    console.line("\nwritten to \(file)")
  }

  private func count(_ mongo: BenchMongo) async throws -> ([RuleCounts.Result], String) {
    let version = try await mongo.client.withConnection { try $0.command(["buildInfo": 1]) }["version"]?.stringValue
    let counts = RuleCounts(store: Store(mongo: mongo.client, clock: SystemClock()), console: console)
    console.progress("in the database: \(grouped(options.leads)) leads")
    try await counts.insert(leads: options.leads)
    var results: [RuleCounts.Result] = []
    for question in questions {
      console.progress("  \(question.name)")
      results.append(try await counts.run(question))
    }
    return (results, version ?? "unknown")
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

  // MARK: Report

  private func heading(_ machine: Machine) -> [String] {
    [
      "MiniCRM \(ProductVersion.current) rules, commit \(machine.commit ?? "unknown")",
      "  \(machine.cores) cores (\(machine.model)), \(machine.memoryGB) GB, \(machine.kernel)",
    ]
  }

  private func memory(_ speed: RuleSpeed.Result, _ rule: Rule) -> [String] {
    let conditions = speed.conditions.map { row in
      [row.text, "\(fixed(row.tested * 100, 1)) %", "\(fixed(row.holds * 100, 1)) %"]
    }
    return ["Rule: \(rule.explanation())", ""]
      + aligned([["condition", "tested on", "holds for"]] + conditions)
      + [""]
      + aligned([
        ["evaluator, million leads/s a core", fixed(speed.decoded / 1e6, 2), "≥ 5"],
        ["  the same from BSON", fixed(speed.fromBSON / 1e6, 2), ""],
        ["  decoding all fields, million leads/s", fixed(speed.decoding / 1e6, 2), ""],
        ["translate and encode, µs", fixed(speed.translating, 2), "≤ 20"],
        ["  decode the rule, µs", fixed(speed.ruleDecoding, 2), ""],
      ])
      + ["  CPU time of one thread; \(grouped(speed.matching)) of \(grouped(speed.leads)) leads match"]
  }

  private func database(_ counts: [RuleCounts.Result], _ version: String) -> [String] {
    let rows = counts.map { result in
      [
        result.name, grouped(result.count), "\(result.ours.values.count)", fixed(result.ours.median * 1e3, 1),
        fixed(result.byHand.median * 1e3, 1), fixed(result.ratio, 3), fixed(result.ours.quantile(0.95) * 1e3, 1),
      ]
    }
    return ["A preview's count, \(grouped(options.leads)) leads, MongoDB \(version)"]
      + aligned([["", "leads", "rounds", "ms", "by hand, ms", "ratio", "p95, ms"]] + rows)
      + counts.map { "  \($0.name): \($0.plan)" }
  }

  private func write(
    _ machine: Machine, _ version: String, _ speed: RuleSpeed.Result, _ counts: [RuleCounts.Result]
  ) throws -> String {
    func number(_ value: Double) -> JSONValue { value.isFinite ? .double((value * 1e4).rounded() / 1e4) : .null }
    let now = SystemClock().now()
    let json: JSONValue = [
      "date": .string("\(now)"), "commit": machine.commit.map { .string($0) } ?? .null,
      "machine": [
        "cores": .int(Int64(machine.cores)), "model": .string(machine.model),
        "memory_gb": .int(Int64(machine.memoryGB)), "kernel": .string(machine.kernel),
      ],
      "versions": ["minicrm": .string(ProductVersion.current), "mongodb": .string(version)],
      "rule": Self.fiveConditions,
      "evaluator": [
        "leads": .int(Int64(speed.leads)), "matching": .int(Int64(speed.matching)),
        "decoded_leads_per_s": .int(Int64(speed.decoded)), "bson_leads_per_s": .int(Int64(speed.fromBSON)),
        "decoding_leads_per_s": .int(Int64(speed.decoding)),
      ],
      "translator": [
        "translate_and_encode_us": number(speed.translating), "decode_us": number(speed.ruleDecoding),
        "filter_bytes": .int(Int64(speed.filterBytes)),
      ],
      "counts": .array(
        counts.map { result in
          [
            "name": .string(result.name), "rule": .string(result.explanation), "leads": .int(Int64(options.leads)),
            "count": .int(Int64(result.count)), "rounds": .int(Int64(result.ours.values.count)),
            "median_ms": number(result.ours.median * 1e3), "p95_ms": number(result.ours.quantile(0.95) * 1e3),
            "by_hand_median_ms": number(result.byHand.median * 1e3), "ratio": number(result.ratio),
            "plan": .string(result.plan),
          ]
        }),
    ]
    let name = "rules-" + "\(now)".prefix(19).replacing(":", with: "") + "Z.json"
    try FileManager.default.createDirectory(atPath: options.results, withIntermediateDirectories: true)
    let path = "\(options.results)/\(name)"
    do {
      try Data((json.encodedString(pretty: true) + "\n").utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw BenchError("\(path) cannot be written: \(error)")
    }
    return path
  }
}
