import BSON
import CRMCore
import CRMStore
import Crypto
import JSON
import Mongo

/// Poison among good records, and what becomes of it once the bug that made it poison is mended.
extension ChaosStage {
  func runID(_ text: String) -> UUIDBytes? { UUIDBytes(text) }

  func runCount(of campaign: String) async throws -> Int {
    guard let id = ObjectID(hex: campaign) else { return 0 }
    return try await world.mongo.withConnection {
      try $0.count(Collections.campaignRuns, ["campaign_id": .objectID(id)])
    }
  }

  /// One send job in a hundred is poison to the send workers, until they are started anew without their bug.
  func poison() async throws {
    let workers = world.fleet.names.filter { $0.hasPrefix("send-worker") }
    try await startAnew(workers, fault: "one-job-in-a-hundred-unreadable")
    try await world.api.behave(["failure_rate": 0, "delay_ms": [20, 120], "accept_delay_ms": 0])
    let began = ContinuousClock.now
    var run = try await campaigns.launch("poison")
    run.planned = run.sendable * 99 / 100
    let launched = run
    try await Poll.until("all but the poison to be delivered", within: .seconds(540), every: .milliseconds(500)) {
      () async throws -> Bool? in
      guard let stats = await auditor.poll(launched) else { return nil }
      let frozen = stats.audience == Int64(launched.audience) && stats.pending == 0
      guard frozen, stats.sending == 0, stats.sent == 0 else { return nil }
      let letters = try await letterCount()
      return letters > 0 && stats.queued == Int64(letters) ? true : nil
    }
    let letters = try await letters()
    let seconds = Int(began.duration(to: .now) / .seconds(1))
    findings.note(
      "poison: \(letters.count) of \(run.sendable) send jobs on the DLQ, all others delivered, \(seconds) s")
    if letters.count < run.sendable / 200 { findings.violated("8: only \(letters.count) poison records") }

    try await startAnew(workers, fault: "")
    let mended = ContinuousClock.now
    for _ in 1...2 { try await replay(letters) }
    findings.note("poison: \(letters.count) dead letters replayed twice")
    try await finish(run, "poison mended and replayed twice", since: mended)
  }

  private func startAnew(_ workers: [String], fault: String) async throws {
    for name in workers {
      world.fleet.setEnvironment(name, ["FAULT": fault])
      try await world.fleet.restart(name)
    }
    try await world.fleet.waitUntilReady(workers)
  }

  private static let buried: BSONDocument = ["topic": "campaign.send_jobs"]

  private func letterCount() async throws -> Int {
    try await world.mongo.withConnection { try $0.count(Collections.deadLetters, Self.buried) }
  }

  /// The ids of the send jobs on the DLQ.
  private func letters() async throws -> [String] {
    try await world.mongo.withConnection { connection in
      try connection.findAll(
        Collections.deadLetters, Self.buried, FindOptions(projection: ["_id": 1]), limit: 1_000_000
      )
      .compactMap { $0["_id"]?.uuidBytes.flatMap { UUIDBytes(bytes: $0) }?.string }
    }
  }

  /// Replays each letter; whoever replays too fast is told so, and waits.
  private func replay(_ letters: [String]) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      var waiting = letters[...]
      func next() {
        guard let id = waiting.popFirst() else { return }
        group.addTask { _ = try await world.api.succeed(.post, "/api/v1/dlq/\(id)/replay") }
      }
      for _ in 0..<8 { next() }
      while try await group.next() != nil { next() }
    }
  }
}
