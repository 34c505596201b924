import CRMCore
import CRMMessaging
import CRMStore
import CivilTime
import Crypto
import Foundation
import JSON
import Kafka
import Synchronization

/// Campaigns and imports under a rain of deaths: armed failpoints, random signals, and a vendor that misbehaves, all from one seed.
struct Storm: Sendable {
  /// What may happen beside the failpoints.
  struct Weather: Sendable {
    var signals = true
    var vendor = true
    var poison = true
    /// Mean time between two events, in milliseconds.
    var meanInterval = 700.0
    /// Share of starts after which a process is armed.
    var armed = 0.8
  }

  let world: ChaosWorld
  let campaigns: ChaosCampaigns
  let auditor: Auditor
  let findings: Findings
  let options: ChaosOptions
  let label: String
  var weather = Weather()

  private static let calm: JSONValue = [
    "failure_rate": 0.1, "delay_ms": [20, 120], "accept_status": 202, "accept_delay_ms": 150, "hang_rate": 0,
    "accept_then_timeout_rate": 0, "outage": false,
    "receipts": ["drop_rate": 0, "duplicate": 1, "shuffle": false, "early": false],
  ]
  private static let moods: [JSONValue] = [
    ["receipts": ["duplicate": 3, "shuffle": true]], ["receipts": ["early": true]], ["receipts": ["drop_rate": 0.1]],
    ["accept_then_timeout_rate": 0.05], ["hang_rate": 0.05], ["accept_status": 500], ["accept_status": 429],
    ["outage": true], ["accept_delay_ms": 30_000],
  ]

  /// Storms for a while, lets it calm down, and audits what was launched.
  func run() async throws {
    let began = world.fleet.deaths.count
    try await world.api.behave(Self.calm)
    arm()
    let gathered = Gathered()
    let end = ContinuousClock.now + .seconds(options.stormSeconds)
    do {
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await launchUntil(end, gathered) }
        group.addTask { try await disturbUntil(end, gathered) }
        group.addTask { try await watchUntil(end, gathered) }
        group.addTask {
          let files = try await imports.run(until: end)
          gathered.files.withLock { $0 = files }
        }
        try await group.waitForAll()
      }
    } catch {
      world.fleet.arm { _, _ in [:] }
      throw error
    }
    world.fleet.arm { _, _ in [:] }
    for name in world.victims { try world.fleet.signal(name, SIGCONT) }
    try await world.api.behave(Self.calm)
    let all = gathered.runs.withLock { $0 }
    guard await Quiet(world: world, auditor: auditor).wait(all) else {
      findings.violated("1: \(label) did not come to rest: \(await Quiet(world: world, auditor: auditor).state(all))")
      try await auditor.audit(all)
      return
    }
    let deaths = world.fleet.deaths[began...].filter { world.fleet.executable(of: $0.member) == "send-worker" }.count
    try await auditor.audit(all.map { planned($0, senderDeaths: deaths) })
    try await auditor.auditPoison(gathered.poison.withLock { $0 })
    try await imports.audit(gathered.files.withLock { $0 })
  }

  /// Successes that even a storm must leave: all but the vendor's own failures and what dying workers had in hand.
  private func planned(_ run: AuditedRun, senderDeaths: Int) -> AuditedRun {
    var run = run
    run.planned = max(run.sendable / 5, run.sendable * 8 / 10 - senderDeaths * ChaosWorld.claimsInHand)
    return run
  }

  private var imports: ChaosImports { ChaosImports(world: world, findings: findings) }

  // MARK: Failpoints

  /// From its next start on each process may be armed with two of its points.
  private func arm() {
    let (world, seed, label, share) = (world, options.seed, label, weather.armed)
    let wanted = Set(options.points)
    world.fleet.arm { name, start in
      var random = SeededRandom(seed: seed, "arm/\(label)/\(name)/\(start)")
      let points = world.points.names(in: world.fleet.executable(of: name))
        .filter { wanted.isEmpty || wanted.contains($0) }
      guard !points.isEmpty, random.chance(share) else { return [:] }
      let chosen = points.shuffled(using: &random).prefix(2)
      let armed = chosen.map { "\($0):skip=\(Int.random(in: 0...Self.passesBefore($0), using: &random))" }
      return ["FAILPOINT": armed.joined(separator: ",")]
    }
  }

  /// How often a point may be passed before it kills: those of every message often, those of a campaign never.
  private static func passesBefore(_ point: String) -> Int {
    switch point {
    case "send.answered": 150
    case "freeze.leased", "complete.uncommitted": 0
    default: point.hasPrefix("accept.") ? 0 : 3
    }
  }

  // MARK: Load

  /// Launches a campaign whenever the one before is nearly through.
  private func launchUntil(_ end: ContinuousClock.Instant, _ gathered: Gathered) async throws {
    // Whoever lives gets its weapon by a first death.
    for name in world.victims where name.hasPrefix("api-gateway") { try world.fleet.signal(name, SIGKILL) }
    var count = 0
    while ContinuousClock.now < end || count == 0 {
      let run = try await campaigns.launch("\(label) \(count)")
      count += 1
      gathered.runs.withLock { $0.append(run) }
      while ContinuousClock.now < end {
        if let stats = await auditor.poll(run), stats.audience > 0, stats.inFlight < stats.audience / 4 { break }
        try await Task.sleep(for: .milliseconds(250))
      }
    }
  }

  private func watchUntil(_ end: ContinuousClock.Instant, _ gathered: Gathered) async throws {
    while ContinuousClock.now < end {
      let known = gathered.runs.withLock { $0 }
      for run in known.suffix(3) {
        _ = await auditor.poll(run)
        await auditor.pollAPI(run)
      }
      await auditor.watchRanks(known.suffix(3))
      await auditor.watchOffsets()
      try await Task.sleep(for: .milliseconds(400))
    }
  }

  // MARK: Disturbances

  private func disturbUntil(_ end: ContinuousClock.Instant, _ gathered: Gathered) async throws {
    var random = SeededRandom(seed: options.seed, "events/\(label)")
    let victims = world.victims
    // Whoever lives is armed by a first death.
    for name in victims.shuffled(using: &random) where !name.hasPrefix("api-gateway") {
      try world.fleet.signal(name, SIGKILL)
      try await Task.sleep(for: .milliseconds(Int.random(in: 50...400, using: &random)))
    }
    while ContinuousClock.now < end {
      let wait = -weather.meanInterval * log(Double.random(in: 0.001..<1, using: &random))
      try await Task.sleep(for: .milliseconds(Int(min(wait, 4000))))
      let victim = victims.randomElement(using: &random) ?? ""
      let kind = Double.random(in: 0..<1, using: &random)
      let choice = UInt64.random(in: 0...UInt64.max, using: &random)
      switch kind {
      case ..<0.50: if weather.signals { try world.fleet.signal(victim, SIGKILL) }
      case ..<0.60: if weather.signals { try world.fleet.signal(victim, SIGTERM) }
      case ..<0.66: if weather.signals { try freeze(victim) }
      case ..<0.76: if weather.poison { await addPoison(choice, gathered) }
      case ..<0.84: await forgeReceipt()
      default: if weather.vendor { await changeMood(choice) }
      }
    }
  }

  /// Stops a process for twice the lease of a claim, and lets it go on.
  private func freeze(_ name: String) throws {
    try world.fleet.signal(name, SIGSTOP)
    Task { [world] in
      try? await Task.sleep(for: .seconds(8))
      try? world.fleet.signal(name, SIGCONT)
    }
  }

  /// A mood of the vendor, for two seconds.
  private func changeMood(_ choice: UInt64) async {
    let mood = Self.moods[Int(choice % UInt64(Self.moods.count))]
    _ = await world.api.attempt(.put, "\(world.api.vendor)/v1/behaviour", mood.encoded())
    try? await Task.sleep(for: .seconds(2))
    _ = await world.api.attempt(.put, "\(world.api.vendor)/v1/behaviour", Self.calm.encoded())
  }

  private func addPoison(_ choice: UInt64, _ gathered: Gathered) async {
    let topics = [
      "campaign.jobs", "campaign.send_jobs", "campaign.status_updates", "delivery.receipts", "ingest.leads",
    ]
    let records = topics.map { KafkaRecord(topic: $0, value: Array("poison \($0) \(UUIDBytes().string)".utf8)) }
    for (record, result) in zip(records, await world.producer.produce(records)) {
      if case .success = result, let value = record.value {
        gathered.poison.withLock { _ = $0.insert(String(decoding: value, as: UTF8.self)) }
      }
    }
  }

  /// A receipt that nobody signed must be refused.
  private func forgeReceipt() async {
    let body: JSONValue = [
      "send_id": .string(UUIDBytes().string), "vendor": "simulator", "vendor_message_id": "x", "status": "READ",
      "timestamp": "2026-01-01T00:00:00Z",
    ]
    let now = Int64(Date().timeIntervalSince1970)
    let answer = await world.api.attempt(
      .post, "/api/v1/delivery/receipt", body.encoded(),
      headers: ["webhook-id": "forged", "webhook-timestamp": "\(now)", "webhook-signature": "v1,Zm9yZ2Vk"])
    if let answer, answer.status != 401, answer.status < 500 {
      findings.violated("3: a forged receipt was answered \(answer.status)")
    }
  }
}

/// What a storm has launched, and put into the topics.
private final class Gathered: Sendable {
  let runs = Mutex<[AuditedRun]>([])
  let poison = Mutex<Set<String>>([])
  let files = Mutex<[ChaosImports.Imported]>([])
}

/// Waits until nothing moves any more.
struct Quiet: Sendable {
  let world: ChaosWorld
  let auditor: Auditor

  /// - Returns: whether every run has ended, every receipt is in and every consumer has caught up within the time.
  func wait(_ runs: [AuditedRun], within limit: Duration = .seconds(120)) async -> Bool {
    let deadline = ContinuousClock.now + limit
    var before: [CampaignStats?] = []
    var still = 0
    while ContinuousClock.now < deadline {
      var stats: [CampaignStats?] = []
      for run in runs { stats.append(await auditor.poll(run)) }
      var done = stats == before && !stats.contains { $0 == nil || $0!.inFlight > 0 }
      if done { done = await receiptsAreIn() }
      if done { done = await haveCaughtUp() }
      if done { done = await haveEnded(runs) }
      before = stats
      still = done ? still + 1 : 0
      if still == 3 { return true }
      try? await Task.sleep(for: .milliseconds(500))
    }
    return false
  }

  /// What is not at rest, in words.
  func state(_ runs: [AuditedRun]) async -> String {
    var text: [String] = []
    for run in runs {
      let stats = await auditor.poll(run)
      let state = try? await world.store.run(run.run)?.state.rawValue
      text.append("\(state ?? "?") \(stats.map { "\($0)" } ?? "?")")
    }
    let received = await receiptsAreIn()
    let behind = await laggards()
    return text.joined(separator: "; ") + "; receipts in: \(received), behind: \(behind.map { "\($0)" } ?? "unknown")"
  }

  private func haveEnded(_ runs: [AuditedRun]) async -> Bool {
    for run in runs {
      guard let state = try? await world.store.run(run.run)?.state, state == run.ends else { return false }
    }
    return true
  }

  private func receiptsAreIn() async -> Bool {
    let request = await world.api.text("\(world.api.vendor)/metrics")
    let line = request?.split(separator: "\n").first { $0.hasPrefix("minicrm_vendor_receipts_waiting ") }
    return line.flatMap { Double($0.split(separator: " ").last ?? "") } == 0
  }

  private func haveCaughtUp() async -> Bool { await laggards() == [] }

  /// What consumers have not read, a line a partition; nil when the broker does not say.
  private func laggards() async -> [String]? {
    var found: [String] = []
    for topic in [Topic.campaignJobs, .sendJobs, .statusUpdates, .deadLetters, .ingestLeads] {
      let group = topic.consumerGroup(prefix: ChaosWorld.groupPrefix)
      let topics = topic == .statusUpdates ? EvidenceLog.topics : [topic.name]
      guard let lags = try? await world.admin.groupLag(group: group, topics: topics, timeout: .seconds(3)) else {
        return nil
      }
      for lag in lags {
        let place = TopicPartition(topic: lag.topic, partition: lag.partition)
        if lag.lag > 0 { found.append("\(place) \(lag.lag) behind") }
        if topic == .statusUpdates, world.evidence.position(place) < lag.end {
          found.append("\(place) unread by the auditor")
        }
      }
    }
    return found
  }
}
