import BSON
import CRMStore
import Foundation
import JSON
import Mongo
import Synchronization

/// The harness tested: with each seeded fault it must find a violation, and without one, under the same kills, none.
struct ChaosSelftest: Sendable {
  let command: ChaosCommand

  private struct Case: Sendable {
    let name: String
    let fault: String?
    /// Failpoints at which each process of an executable dies once.
    let points: [String: String]
    var settings: [String: String] = [:]
    /// Receipts come after a claim's lease has run out, so that nothing but the claim shows what a dead worker has sent.
    var hasLateReceipts = false
    /// The invariant that the fault breaks.
    var breaks: String?
  }

  private static let expandOnce = ["CHUNK_SIZE": "1000", "SWEEP_AFTER_S": "300"]
  private static let cases = [
    Case(
      name: "no fault", fault: nil,
      points: ["send-worker": "tell.begin", "receipt-aggregator": "merge.committed:skip=1,merge.uncommitted:skip=3"],
      hasLateReceipts: true),
    Case(name: "no fault, no sweep", fault: nil, points: ["job-expander": "expand.committed"], settings: expandOnce),
    Case(
      name: "commit-before-effect", fault: "commit-before-effect",
      points: ["receipt-aggregator": "merge.uncommitted:skip=1"], breaks: "7"),
    Case(
      name: "claim-without-compare", fault: "claim-without-compare", points: ["send-worker": "tell.begin"], breaks: "2"),
    Case(
      name: "lapsed-claim-queued", fault: "lapsed-claim-queued", points: ["send-worker": "tell.begin"],
      hasLateReceipts: true, breaks: "2"),
    Case(
      name: "skip-expanded-chunk", fault: "skip-expanded-chunk", points: ["job-expander": "expand.committed"],
      settings: expandOnce, breaks: "1"),
    Case(
      name: "statistics-outside-transaction", fault: "statistics-outside-transaction",
      points: ["receipt-aggregator": "merge.committed:skip=1"], breaks: "5"),
  ]

  /// - Returns: whether every fault was found, and nothing where there is none.
  func run() async throws -> Bool {
    command.terminal.line("chaos selftest: seed \(command.options.seed)")
    let world = try await command.start(ChaosSetting(leads: 400))
    do {
      let campaigns = try await ChaosCampaigns.prepare(world)
      // Whether a second call sends a second message is for the vendor to say; here it does.
      try await world.api.behave([
        "honour_idempotency_key": false, "failure_rate": 0.1, "delay_ms": [20, 100], "accept_delay_ms": 100,
      ])
      var right = true
      for test in Self.cases { right = try await play(test, world, campaigns) && right }
      await world.stop()
      command.terminal.line(
        right ? "the harness finds every seeded fault" : "the harness misses a fault, or sees one where there is none")
      return right
    } catch {
      await world.stop()
      throw error
    }
  }

  private func play(_ test: Case, _ world: ChaosWorld, _ campaigns: ChaosCampaigns) async throws -> Bool {
    let began = ContinuousClock.now
    let findings = Findings()
    let auditor = Auditor(world, findings)
    await auditor.beginHere()
    let deathsBefore = world.fleet.deaths.count
    try await rearm(test, world)
    try await world.api.behave(["delay_ms": test.hasLateReceipts ? [7000, 7500] : [20, 100]])
    let run = try await campaigns.launch(test.name)
    let quiet = Quiet(world: world, auditor: auditor)
    let watching = Task {
      while !Task.isCancelled {
        await auditor.watchRanks([run])
        await auditor.watchOffsets()
        try? await Task.sleep(for: .milliseconds(200))
      }
    }
    let rested = await quiet.wait([run], within: .seconds(test.fault == nil ? 90 : 30))
    watching.cancel()
    await watching.value
    if !rested { findings.violated("1: it did not come to rest: \(await quiet.state([run]))") }
    try await auditor.audit([run])
    await clearAway(run, world)

    let kills = world.fleet.deaths[deathsBefore...].filter { if case .failpoint = $0.cause { true } else { false } }
      .count
    let isFound = test.breaks.map { findings.count(of: $0) > 0 } ?? !findings.violations.isEmpty
    let isRight = kills > 0 && isFound == (test.breaks != nil)
    let seconds = Int(began.duration(to: .now) / .seconds(1))
    command.terminal.line(
      "  \(isRight ? "as it must be" : "WRONG"): \(test.name): \(kills) kills, \(findings.violations.count) violations, \(seconds) s"
    )
    let named = findings.violations.filter { violation in test.breaks.map { violation.hasPrefix("\($0):") } ?? true }
    for violation in isRight ? named.prefix(1) : findings.violations.prefix(10) {
      command.terminal.line("      \(violation)")
    }
    return isRight
  }

  /// Cancels what the fault has left behind, so that the next case's failpoints meet the next case's sends.
  private func clearAway(_ run: AuditedRun, _ world: ChaosWorld) async {
    _ = try? await world.api.persist(.post, "/api/v1/campaigns/\(run.campaign)/cancel", within: .seconds(10))
    let open: BSONDocument = ["run_id": .uuid(run.run.bytes), "status": ["$in": ["QUEUED", "SENDING"]]]
    _ = try? await Poll.until("the end of the sends", within: .seconds(15)) { () async throws -> Bool? in
      let count = try await world.mongo.withConnection { try $0.count(Collections.communicationLogs, open) }
      return count == 0 ? true : nil
    }
  }

  /// Starts the workers anew, each with the fault and, once, with its failpoints.
  private func rearm(_ test: Case, _ world: ChaosWorld) async throws {
    let used = Once()
    world.fleet.arm { name, _ in
      guard let points = test.points[world.fleet.executable(of: name)], used.first(name) else { return [:] }
      return ["FAILPOINT": points]
    }
    let workers = world.victims.filter {
      !$0.hasPrefix("vendor-sim") && !$0.hasPrefix("api-gateway") && !$0.hasPrefix("ingest")
    }
    for name in workers {
      world.fleet.setEnvironment(name, ["FAULT": test.fault ?? ""])
      for key in Self.expandOnce.keys {
        world.fleet.setEnvironment(name, [key: test.settings[key] ?? ChaosWorld.settings[key] ?? ""])
      }
    }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for name in workers { group.addTask { try await world.fleet.restart(name) } }
      try await group.waitForAll()
    }
    try await world.fleet.waitUntilReady(workers)
  }
}

/// Says of each name whether it is asked for the first time.
private final class Once: Sendable {
  private let seen = Mutex<Set<String>>([])

  func first(_ name: String) -> Bool { seen.withLock { $0.insert(name).inserted } }
}
