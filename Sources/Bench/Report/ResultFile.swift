import CivilTime
import Foundation
import JSON
import Runtime

/// The figures for programs: a JSON file a run.
struct ResultFile {
  let results: Results

  /// - Returns: the file's path.
  func write(into directory: String) throws -> String {
    let now = SystemClock().now()
    let name = "\(now)".prefix(19).replacing(":", with: "") + "Z.json"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    let path = "\(directory)/\(name)"
    let text = json(at: now).encodedString(pretty: true) + "\n"
    do {
      try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw BenchError("\(path) cannot be written: \(error)")
    }
    return path
  }

  private func json(at now: Timestamp) -> JSONValue {
    let (machine, versions) = (results.machine, results.versions)
    return [
      "date": .string("\(now)"), "commit": machine.commit.map { .string($0) } ?? .null,
      "machine": [
        "cores": .int(Int64(machine.cores)), "model": .string(machine.model),
        "memory_gb": .int(Int64(machine.memoryGB)), "kernel": .string(machine.kernel),
      ],
      "versions": [
        "minicrm": .string(versions.product), "mongodb": .string(versions.mongodb),
        "kafka": versions.kafka.map { .string($0) } ?? .null,
      ],
      "broker": .string(results.broker), "leads": .int(Int64(results.options.leads)),
      "profiled": .bool(results.options.profiles),
      "bulk": store(results.bulk), "insert_many": store(results.floor),
      "bulk_to_insert_many": results.bulkRatio.map { number($0, 3) } ?? .null,
      "campaign": campaign, "receipts": receipts,
      "adds_up": .bool(results.checks.failures.isEmpty),
      "failures": .array(results.checks.failures.map { .string($0) }),
      "reference": [
        "note": .string(Reference.note), "bulk_leads_per_s": range(Reference.bulkLeads),
        "messages_per_s": range(Reference.messages), "receipts_per_s": range(Reference.receipts),
        "cpu_us_per_message": .object(
          JSONObject(Reference.cpuPerMessage.sorted { $0.key < $1.key }.map { ($0.key, number($0.value, 0)) })),
        "peak_mb": range(Reference.residentMB),
      ],
    ]
  }

  private func store(_ result: StoreResult?) -> JSONValue {
    guard let result else { return .null }
    return [
      "leads": .int(Int64(result.leads)), "batch": .int(Int64(BulkLeads.batch)),
      "concurrency": .int(Int64(BulkLeads.concurrency)), "seconds": number(result.seconds, 3),
      "leads_per_s": number(result.perSecond, 0), "processes": uses(result.uses, each: "lead", result.leads),
      "machine": use(result.machine),
    ]
  }

  private var campaign: JSONValue {
    guard let result = results.campaign else { return .null }
    let stages = result.stages.sorted.map { stage, time -> JSONValue in
      [
        "process": .string(stage.process), "stage": .string(stage.name), "seconds": number(time.seconds, 3),
        "count": .int(Int64(time.count)),
      ]
    }
    return [
      "messages": .int(Int64(result.messages)), "messages_per_s": number(result.perSecond, 0),
      "frozen_s": number(result.frozen, 3), "expanded_s": number(result.expanded, 3),
      "last_sent_s": number(result.lastSent, 3), "completed_s": number(result.completed, 3),
      "last_receipt_s": number(result.settled, 3), "polls": .int(Int64(result.polls)),
      "audience": .int(Int64(result.final.audience)),
      "states": .object(JSONObject(CampaignCounts.states.map { ($0, .int(Int64(result.final[$0]))) })),
      "processes": uses(result.uses, each: "message", result.messages), "stages": .array(stages),
      "machine": use(result.machine),
    ]
  }

  private var receipts: JSONValue {
    guard let result = results.receipts else { return .null }
    return [
      "receipts": .int(Int64(result.receipts)), "connections": .int(Int64(result.connections)),
      "seconds": number(result.seconds, 3), "receipts_per_s": number(result.perSecond, 0),
      "merged_s": number(result.merged, 3), "refused": .int(Int64(result.refused)),
      "processes": uses(result.uses, each: "receipt", result.receipts), "machine": use(result.machine),
    ]
  }

  private func uses(_ uses: [ProcessUse], each unit: String, _ count: Int) -> JSONValue {
    .array(
      uses.map { use in
        [
          "name": .string(use.name), "cpu_s": number(use.cpuSeconds, 3),
          "cpu_us_per_\(unit)": number(use.cpuSeconds * 1e6 / Double(max(1, count)), 1),
          "peak_mb": number(Double(use.peakBytes) / 1e6, 1),
        ]
      })
  }

  private func use(_ machine: MachineUse) -> JSONValue {
    ["busy": number(machine.busy, 3), "others": number(machine.others, 3)]
  }

  private func range(_ range: ClosedRange<Double>) -> JSONValue {
    .array([number(range.lowerBound, 0), number(range.upperBound, 0)])
  }

  /// Rounded; a whole number where no decimals are asked for.
  private func number(_ value: Double, _ decimals: Int) -> JSONValue {
    guard value.isFinite else { return .null }
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    let rounded = (value * scale).rounded() / scale
    return decimals == 0 ? .int(Int64(rounded)) : .double(rounded)
  }
}
