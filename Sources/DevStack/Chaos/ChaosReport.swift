import CivilTime
import Foundation
import JSON
import Runtime

/// What a chaos run came to, for people and for programs.
struct ChaosReport: Sendable {
  let options: ChaosOptions
  /// In the order in which they ran.
  let scenarios: [String]
  let broker: String
  let points: [FailpointCatalogue.Point]
  let deaths: [Death]
  let findings: Findings
  let seconds: Double

  var isRight: Bool { findings.violations.isEmpty }

  private var killsByPoint: [(name: String, kills: Int)] {
    points.map { point in (point.name, deaths.filter { $0.cause == .failpoint(point.name) }.count) }
  }

  /// Random `kill -9`, by executable.
  private var randomKills: [(name: String, kills: Int)] {
    let killed = deaths.filter { $0.cause == .signal(SIGKILL) }
    let names = killed.map {
      String($0.member.prefix { !$0.isNumber }.dropLast($0.member.last?.isNumber == true ? 1 : 0))
    }
    return Dictionary(grouping: names) { $0 }.map { ($0.key, $0.value.count) }.sorted { $0.name < $1.name }
  }

  private var kills: Int { deaths.filter(\.isKill).count }
  private var terminations: Int { deaths.filter { $0.cause == .signal(SIGTERM) }.count }
  private var byThemselves: [Death] {
    deaths.filter { if case .byItself = $0.cause { true } else { false } }
  }

  /// Seconds from a kill until the process in its place was ready; the share `part` of them took no longer.
  private func recovery(_ part: Double) -> Double? {
    let times = deaths.filter(\.isKill).compactMap { $0.recovery.map { $0 / .seconds(1) } }.sorted()
    guard !times.isEmpty else { return nil }
    return times[min(times.count - 1, Int(Double(times.count) * part))]
  }

  var text: String {
    let tally = findings.tally
    var lines = [
      "", "seed \(options.seed), \(scenarios.joined(separator: ", ")), broker \(broker), \(Int(seconds)) s",
      "kills \(kills): \(killsByPoint.reduce(0) { $0 + $1.kills }) at failpoints, "
        + randomKills.map { "\($0.kills) × \($0.name)" }.joined(separator: ", ")
        + "; \(terminations) × SIGTERM",
    ]
    for (name, kills) in killsByPoint {
      lines.append("  \(name)\(String(repeating: " ", count: max(1, 24 - name.count)))\(kills)")
    }
    let times = [0.5, 0.99].map { recovery($0).map { String(format: "%.2f s", $0) } ?? "–" }
    lines += [
      "recovery from a kill to ready: p50 \(times[0]), p99 \(times[1])",
      "runs \(tally.runs), leads \(tally.leads), messages sent \(tally.messages), calls repeated under a key \(tally.repeatedCalls)",
      "lost \(tally.lost), duplicated \(tally.duplicated), unknown \(tally.unknown), poison records \(tally.poison)",
      "files imported \(tally.files), rows \(tally.rows)",
      "conservation law read \(tally.polls) times, committed records checked \(tally.offsetsChecked)",
    ]
    for death in byThemselves { lines.append("ended by itself: \(death.member) (\(death.cause))") }
    lines += findings.notes
    lines += findings.violations.map { "VIOLATED \($0)" }
    lines.append(isRight ? "every invariant holds" : "\(findings.violations.count) violations")
    return lines.joined(separator: "\n")
  }

  /// - Returns: the file's path.
  func write(into directory: String) throws -> String {
    let now = SystemClock().now()
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    let path = "\(directory)/" + "\(now)".prefix(19).replacing(":", with: "") + "Z-\(options.seed).json"
    try Data((json(now).encodedString(pretty: true) + "\n").utf8).write(
      to: URL(fileURLWithPath: path), options: .atomic)
    return path
  }

  private func json(_ now: Timestamp) -> JSONValue {
    let tally = findings.tally
    func counts(_ pairs: [(name: String, kills: Int)]) -> JSONValue {
      .object(JSONObject(pairs.map { ($0.name, .int(Int64($0.kills))) }))
    }
    func seconds(_ value: Double?) -> JSONValue { value.map { .double(($0 * 1000).rounded() / 1000) } ?? .null }
    return [
      "date": .string("\(now)"), "seed": .string("\(options.seed)"),
      "scenarios": .array(scenarios.map { .string($0) }), "rounds": .int(Int64(options.rounds)),
      "leads_a_campaign": .int(Int64(options.leads)), "broker": .string(broker), "seconds": seconds(self.seconds),
      "kills": .int(Int64(kills)), "kills_at_failpoints": counts(killsByPoint), "kills_at_random": counts(randomKills),
      "sigterm": .int(Int64(terminations)), "ended_by_themselves": .int(Int64(byThemselves.count)),
      "recovery_p50_s": seconds(recovery(0.5)), "recovery_p99_s": seconds(recovery(0.99)),
      "runs": .int(Int64(tally.runs)), "leads": .int(Int64(tally.leads)), "messages": .int(Int64(tally.messages)),
      "repeated_calls": .int(Int64(tally.repeatedCalls)), "lost": .int(Int64(tally.lost)),
      "duplicated": .int(Int64(tally.duplicated)), "unknown": .int(Int64(tally.unknown)),
      "poison": .int(Int64(tally.poison)), "files_imported": .int(Int64(tally.files)),
      "rows_imported": .int(Int64(tally.rows)), "conservation_reads": .int(Int64(tally.polls)),
      "committed_records_checked": .int(Int64(tally.offsetsChecked)),
      "notes": .array(findings.notes.map { .string($0) }),
      "violations": .array(findings.violations.map { .string($0) }),
    ]
  }
}
