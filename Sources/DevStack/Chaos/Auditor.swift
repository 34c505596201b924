import BSON
import CRMCore
import CRMMessaging
import CRMStore
import Crypto
import Kafka
import Mongo
import Synchronization

/// A run that the harness launched, and what may become of it.
struct AuditedRun: Sendable {
  let run: UUIDBytes
  let campaign: String
  /// Leads that can be sent to; the others have no address.
  let sendable: Int
  let audience: Int
  /// The state in which it ends.
  var ends = RunState.completed
  /// Successes below which the run counts as idle; nil where a scenario expects none.
  var planned: Int?
}

/// Judges the product by the vendor's ledger, the topics and the database, while it runs and after it has come to rest.
///
/// The numbers in the violations are those of the invariants in docs/chaos.md.
final class Auditor: Sendable {
  private let world: ChaosWorld
  private let findings: Findings
  private let ranks = Mutex<[UUIDBytes: Int32]>([:])
  private let checked = Mutex<[TopicPartition: Int64]>([:])

  init(_ world: ChaosWorld, _ findings: Findings) {
    self.world = world
    self.findings = findings
  }

  // MARK: While it runs

  /// The conservation law, as one snapshot of the counters shows it.
  ///
  /// - Returns: nil when the database does not answer.
  func poll(_ run: AuditedRun) async -> CampaignStats? {
    guard let stats = try? await world.store.stats(ofRun: run.run) else { return nil }
    findings.count { $0.polls += 1 }
    if !stats.isConserved { findings.violated("conservation: run \(run.run): \(stats)") }
    return stats
  }

  /// The conservation law as a client reads it.
  func pollAPI(_ run: AuditedRun) async {
    guard let answer = await world.api.attempt(.get, "/api/v1/campaigns/\(run.campaign)/stats", within: .seconds(2)),
      answer.status == 200
    else { return }
    let states = SendStatus.allCases.map { answer.data[$0.rawValue.lowercased()]?.intValue ?? -1 }
    let audience = answer.data["audience"]?.intValue ?? -1
    findings.count { $0.polls += 1 }
    if states.reduce(0, +) != audience {
      findings.violated("conservation: GET stats of \(run.campaign): \(answer.data.encodedString().prefix(400))")
    }
  }

  /// (4) A row's rank never falls.
  func watchRanks(_ runs: [AuditedRun]) async {
    guard let rows = try? await statuses(runs) else { return }
    ranks.withLock { ranks in
      for (send, status) in rows {
        if let before = ranks[send], before > status.rank {
          findings.violated("4: send \(send) fell from rank \(before) to \(status.rawValue)")
        }
        ranks[send] = status.rank
      }
    }
  }

  /// (7) What is committed has had its effect: no evidence below a committed offset is missing in its row.
  func watchOffsets() async {
    let group = Topic.receipts.consumerGroup(prefix: ChaosWorld.groupPrefix)
    guard let lags = try? await world.admin.groupLag(group: group, topics: EvidenceLog.topics, timeout: .seconds(3))
    else { return }
    var entries: [EvidenceLog.Entry] = []
    var ends: [TopicPartition: Int64] = [:]
    for lag in lags {
      let place = TopicPartition(topic: lag.topic, partition: lag.partition)
      // Only as far as this auditor has read itself.
      let end = min(lag.committed ?? 0, world.evidence.position(place))
      let start = checked.withLock { $0[place] ?? 0 }
      guard end > start else { continue }
      entries += world.evidence.entries(place, from: start, below: end)
      ends[place] = end
    }
    guard !ends.isEmpty else { return }
    guard let rows = try? await statuses(of: Set(entries.map(\.send))) else { return }
    for entry in entries {
      guard let status = rows[entry.send], status < entry.status else { continue }
      // A decision not to send outlives an undecided claim.
      if status == .skipped || status == .cancelled, entry.status == .unknown { continue }
      findings.violated("7: \(entry.status.rawValue) of send \(entry.send) is committed, its row is \(status.rawValue)")
    }
    let done = ends
    checked.withLock { $0.merge(done) { max($0, $1) } }
    findings.count { $0.offsetsChecked += entries.count }
  }

  /// Leaves out what was committed so far.
  func beginHere() async {
    let group = Topic.receipts.consumerGroup(prefix: ChaosWorld.groupPrefix)
    let lags = (try? await world.admin.groupLag(group: group, topics: EvidenceLog.topics)) ?? []
    checked.withLock { checked in
      for lag in lags { checked[TopicPartition(topic: lag.topic, partition: lag.partition)] = lag.committed ?? 0 }
    }
  }

  /// Forgets what was committed: the broker has begun anew.
  func forgetOffsets() { checked.withLock { $0 = [:] } }

  // MARK: After quiet

  /// Every invariant of a run that has come to rest.
  func audit(_ runs: [AuditedRun]) async throws {
    await watchRanks(runs)
    await watchOffsets()
    world.ledger.refresh()
    let sends = world.ledger.sends
    if world.ledger.unreadable > 0 {
      findings.violated("3: \(world.ledger.unreadable) lines of the ledger are unreadable")
    }
    for run in runs { try await audit(run, sends) }
  }

  private func audit(_ audited: AuditedRun, _ sends: [UUIDBytes: LedgerTail.Sends]) async throws {
    guard let run = try await world.store.run(audited.run) else {
      return findings.violated("1: run \(audited.run) does not exist")
    }
    let name = "run \(audited.run)"
    if run.state != audited.ends {
      findings.violated("1: \(name) is \(run.state.rawValue), not \(audited.ends.rawValue)")
    }
    let rows = try await statuses([audited])
    let stats = try await world.store.stats(ofRun: audited.run)
    let leads = try await frozenLeads(audited.run)
    findings.count { tally in
      tally.runs += 1
      tally.leads += leads.count
    }

    // (1) every lead of the frozen audience is in one final state, or UNKNOWN.
    if audited.ends == .completed {
      if leads.count != audited.audience || Int(run.audience) != audited.audience {
        findings.violated(
          "1: \(name) froze \(leads.count) leads in its chunks, \(run.audience) in itself, of \(audited.audience)")
      }
    }
    let expected = Set(leads.map { SendID.make(run: audited.run, lead: $0, channel: run.channel) })
    if expected.count != leads.count { findings.violated("1: \(name) has a lead in two chunks") }
    let missing = expected.subtracting(rows.keys)
    let stuck = rows.filter { $0.value.isInFlight }
    for send in missing.prefix(3) { findings.violated("1: send \(send) of \(name) has no row") }
    for (send, status) in stuck.prefix(3) {
      findings.violated("1: send \(send) of \(name) is still \(status.rawValue)")
    }
    findings.count { $0.lost += missing.count + stuck.count }
    if let stranger = Set(rows.keys).subtracting(expected).first {
      findings.violated("1: send \(stranger) of \(name) is nobody's of its audience")
    }

    // (2), (4) and what the states claim, send by send.
    var (successes, unknown, duplicated, messages, repeated) = (0, 0, 0, 0, 0)
    for (send, status) in rows {
      let sent = sends[send] ?? .init()
      messages += sent.effective
      repeated += sent.calls - sent.effective
      if sent.effective > 1 {
        duplicated += 1
        findings.violated("2: send \(send) of \(name) was sent \(sent.effective) times")
      }
      switch status {
      case .sent, .delivered, .read:
        successes += 1
        if sent.effective == 0 {
          findings.violated("4: send \(send) is \(status.rawValue), the vendor knows nothing of it")
        }
      case .unknown: unknown += 1
      case .skipped, .cancelled:
        if sent.effective > 0 { findings.violated("4: send \(send) is \(status.rawValue), and was sent") }
      default: break
      }
    }
    findings.count { tally in
      tally.unknown += unknown
      tally.duplicated += duplicated
      tally.messages += messages
      tally.repeatedCalls += repeated
    }

    try await auditEvidence(rows, name)
    // (5) statistics equal a recount.
    if !stats.isConserved { findings.violated("5: \(name): \(stats) does not add up") }
    for status in SendStatus.allCases where status != .pending {
      let recount = Int64(rows.values.lazy.filter { $0 == status }.count)
      if stats[status] != recount {
        findings.violated("5: \(name) counts \(stats[status]) \(status.rawValue), its rows are \(recount)")
      }
    }
    // (9) it was not idle.
    if let planned = audited.planned, successes < planned {
      findings.violated("9: \(name) has \(successes) successes, fewer than the \(planned) that were planned")
    }
  }

  /// (4) A row's state is the highest that anything has shown. What differs is looked at again a little later: an answer to a
  /// question, or a late receipt, may have come between two readings.
  private func auditEvidence(_ rows: [UUIDBytes: SendStatus], _ name: String) async throws {
    var suspects = rows.filter { differs($0.value, from: world.evidence.highest($0.key)) }
    guard !suspects.isEmpty else { return }
    try await Task.sleep(for: .seconds(3))
    suspects = try await statuses(of: Set(suspects.keys)).filter {
      differs($0.value, from: world.evidence.highest($0.key))
    }
    for (send, status) in suspects {
      let shown = world.evidence.highest(send)?.rawValue ?? "nothing"
      findings.violated("4: send \(send) of \(name) is \(status.rawValue), the highest evidence is \(shown)")
    }
  }

  private func differs(_ status: SendStatus, from shown: SendStatus?) -> Bool {
    // A decision not to send needs no evidence, and outlives an undecided claim.
    if status == .skipped || status == .cancelled { return (shown ?? .unknown) > .unknown }
    return shown != status
  }

  /// (3) Nothing was sent that no run had asked for: every send of the ledger has a row.
  func auditLedger() async throws {
    world.ledger.refresh()
    let known = Set(try await statuses([:] as BSONDocument).keys)
    let strangers = world.ledger.sends.keys.filter { !known.contains($0) }
    if let first = strangers.first {
      findings.violated("3: \(strangers.count) sends of the ledger belong to no run, \(first) for example")
    }
  }

  /// (6) No window of a minute holds more effective sends than the limit and its burst.
  func auditRate(perMinute: Int, burst: Int, since: Int64) {
    world.ledger.refresh()
    let times = world.ledger.times.filter { $0 >= since }.sorted()
    var low = 0
    var most = 0
    for high in times.indices {
      while times[high] - times[low] >= 60_000 { low += 1 }
      most = max(most, high - low + 1)
    }
    findings.note("rate limit \(perMinute) a minute: at most \(most) in any 60 s")
    if most > perMinute + burst {
      findings.violated("6: \(most) sends within 60 s, the limit is \(perMinute) + \(burst)")
    }
  }

  /// Poison records, each filed once: neither lost nor twice.
  func auditPoison(_ values: Set<String>) async throws {
    guard !values.isEmpty else { return }
    let found = try await filedLetters()
    let missing = values.filter { found[$0] == nil }
    let twice = values.filter { (found[$0] ?? 0) > 1 }
    findings.count { $0.poison += values.count }
    if let first = missing.first {
      findings.violated("1: \(missing.count) poison records are on no DLQ, \(first) for example")
    }
    if let first = twice.first {
      findings.note("\(twice.count) poison records are filed more than once, \(first) for example")
    }
  }

  /// Values of filed dead letters, with how often each is there.
  func filedLetters() async throws -> [String: Int] {
    try await world.mongo.withConnection { connection in
      var found: [String: Int] = [:]
      try connection.find(Collections.deadLetters, [:], FindOptions(projection: ["value": 1], batchSize: 5000)) {
        letter in
        if let value = letter["value"]?.binaryValue { found[String(decoding: value, as: UTF8.self), default: 0] += 1 }
        return .more
      }
      return found
    }
  }

  // MARK: Reading

  private func statuses(_ runs: [AuditedRun]) async throws -> [UUIDBytes: SendStatus] {
    try await statuses(["run_id": ["$in": .array(runs.map { .uuid($0.run.bytes) })]])
  }

  private func statuses(of sends: Set<UUIDBytes>) async throws -> [UUIDBytes: SendStatus] {
    guard !sends.isEmpty else { return [:] }
    var all: [UUIDBytes: SendStatus] = [:]
    let list = Array(sends)
    for start in stride(from: 0, to: list.count, by: 5000) {
      let page = list[start..<min(start + 5000, list.count)]
      all.merge(try await statuses(["_id": ["$in": .array(page.map { .uuid($0.bytes) })]])) { $1 }
    }
    return all
  }

  private func statuses(_ filter: BSONDocument) async throws -> [UUIDBytes: SendStatus] {
    try await world.mongo.withConnection { connection in
      var rows: [UUIDBytes: SendStatus] = [:]
      let options = FindOptions(projection: ["status": 1], batchSize: 5000)
      try connection.find(Collections.communicationLogs, filter, options) { row in
        if let id = row["_id"]?.uuidBytes.flatMap({ UUIDBytes(bytes: $0) }),
          let status = row["status"]?.stringValue.flatMap(SendStatus.init(rawValue:))
        {
          rows[id] = status
        }
        return .more
      }
      return rows
    }
  }

  private func frozenLeads(_ run: UUIDBytes) async throws -> [ObjectID] {
    try await world.mongo.withConnection { connection in
      var leads: [ObjectID] = []
      try connection.find(Collections.audienceChunks, ["run_id": .uuid(run.bytes)]) { chunk in
        leads += (chunk["lead_ids"]?.arrayValue ?? []).compactMap(\.objectIDValue)
        return .more
      }
      return leads
    }
  }
}
