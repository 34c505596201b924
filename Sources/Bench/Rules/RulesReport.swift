import CRMCore
import Foundation
import JSON
import Runtime
import ServiceHost

/// What was measured of the rules, for people and as a file.
struct RulesReport {
  struct Database: Sendable {
    /// Of MongoDB.
    let version: String
    var counts: [RuleCounts.Result] = []
    var migration: BehaviourCounts.Migration?
    var behaviours: [BehaviourCounts.Result] = []
    var indexes: [IndexCosts.Result] = []

    init(version: String) { self.version = version }
  }

  let machine: Machine
  let rule: JSONValue
  let speed: RuleSpeed.Result
  let leads: Int
  var database: Database?

  var heading: [String] {
    [
      "MiniCRM \(ProductVersion.current) rules, commit \(machine.commit ?? "unknown")",
      "  \(machine.cores) cores (\(machine.model)), \(machine.memoryGB) GB, \(machine.kernel)",
    ]
  }

  func memory(_ rule: Rule) -> [String] {
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

  var databaseLines: [String] {
    guard let database else { return [] }
    return counts(database) + behaviours(database) + indexes(database)
  }

  private func counts(_ database: Database) -> [String] {
    let rows = database.counts.map { result in
      [
        result.name, grouped(result.count), "\(result.ours.values.count)", fixed(result.ours.median * 1e3, 1),
        fixed(result.byHand.median * 1e3, 1), fixed(result.ratio, 3), fixed(result.ours.quantile(0.95) * 1e3, 1),
      ]
    }
    return ["", "A preview's count, \(grouped(leads)) leads, MongoDB \(database.version)"]
      + aligned([["", "leads", "rounds", "ms", "by hand, ms", "ratio", "p95, ms"]] + rows)
      + database.counts.map { "  \($0.name): \($0.plan)" }
  }

  private func behaviours(_ database: Database) -> [String] {
    guard let migration = database.migration else { return [] }
    let rows = database.behaviours.map { result in
      [
        result.name, grouped(result.count), "\(result.time.values.count)", fixed(result.time.median * 1e3, 0),
        fixed(result.time.quantile(1) * 1e3, 0), fixed(result.processor.median * 1e3, 0),
      ]
    }
    let processor = migration.processorSeconds.map { " (\(fixed($0, 1)) s of mongod)" } ?? ""
    return ["", "A preview's count, \(grouped(leads)) leads with \(grouped(migration.orders)) orders of two years"]
      + aligned([["", "leads", "rounds", "ms", "slowest, ms", "mongod, ms"]] + rows)
      + ["  totals of all leads, counted anew: \(fixed(migration.seconds, 1)) s\(processor)"]
  }

  private func indexes(_ database: Database) -> [String] {
    guard !database.indexes.isEmpty else { return [] }
    let rows = database.indexes.map { result in
      [
        result.index.map { "  \($0)" } ?? "\(result.collection), _id alone",
        (result.index == nil ? "" : "+") + fixed(result.microseconds, 1),
      ]
    }
    return ["", "What an insert costs, in µs of mongod a row"] + aligned(rows)
  }

  // MARK: File

  /// - Returns: where it was written.
  func write(to directory: String) throws -> String {
    let now = SystemClock().now()
    let name = "rules-" + "\(now)".prefix(19).replacing(":", with: "") + "Z.json"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    let path = "\(directory)/\(name)"
    do {
      try Data((json(at: "\(now)").encodedString(pretty: true) + "\n").utf8)
        .write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw BenchError("\(path) cannot be written: \(error)")
    }
    return path
  }

  private static func number(_ value: Double) -> JSONValue {
    value.isFinite ? .double((value * 1e4).rounded() / 1e4) : .null
  }

  private func json(at date: String) -> JSONValue {
    var json: JSONObject = [
      "date": .string(date), "commit": machine.commit.map { .string($0) } ?? .null,
      "machine": [
        "cores": .int(Int64(machine.cores)), "model": .string(machine.model),
        "memory_gb": .int(Int64(machine.memoryGB)), "kernel": .string(machine.kernel),
      ],
      "versions": [
        "minicrm": .string(ProductVersion.current), "mongodb": (database?.version).map { .string($0) } ?? .null,
      ],
      "rule": rule,
      "evaluator": [
        "leads": .int(Int64(speed.leads)), "matching": .int(Int64(speed.matching)),
        "decoded_leads_per_s": .int(Int64(speed.decoded)), "bson_leads_per_s": .int(Int64(speed.fromBSON)),
        "decoding_leads_per_s": .int(Int64(speed.decoding)),
      ],
      "translator": [
        "translate_and_encode_us": Self.number(speed.translating), "decode_us": Self.number(speed.ruleDecoding),
        "filter_bytes": .int(Int64(speed.filterBytes)),
      ],
    ]
    guard let database else { return .object(json) }
    json["counts"] = .array(
      database.counts.map { result in
        [
          "name": .string(result.name), "rule": .string(result.explanation), "leads": .int(Int64(leads)),
          "count": .int(Int64(result.count)), "rounds": .int(Int64(result.ours.values.count)),
          "median_ms": Self.number(result.ours.median * 1e3), "p95_ms": Self.number(result.ours.quantile(0.95) * 1e3),
          "by_hand_median_ms": Self.number(result.byHand.median * 1e3), "ratio": Self.number(result.ratio),
          "plan": .string(result.plan),
        ]
      })
    if let migration = database.migration {
      json["orders"] = [
        "orders": .int(Int64(migration.orders)), "totals_s": Self.number(migration.seconds),
        "totals_mongod_s": migration.processorSeconds.map(Self.number) ?? .null,
        "counts": .array(
          database.behaviours.map { result in
            [
              "name": .string(result.name), "rule": .string(result.explanation), "count": .int(Int64(result.count)),
              "rounds": .int(Int64(result.time.values.count)), "median_ms": Self.number(result.time.median * 1e3),
              "slowest_ms": Self.number(result.time.quantile(1) * 1e3),
              "mongod_median_ms": Self.number(result.processor.median * 1e3),
            ]
          }),
      ]
    }
    if !database.indexes.isEmpty {
      json["insert_us_of_mongod"] = .array(
        database.indexes.map { result in
          [
            "collection": .string(result.collection), "index": result.index.map { .string($0) } ?? .null,
            "us": Self.number(result.microseconds),
          ]
        })
    }
    return .object(json)
  }
}
