import CRMMessaging
import CRMStore
import Foundation
import JSON
import Kafka

/// The scenarios with one disturbance each.
extension ChaosStage {
  private static let steady: JSONValue = ["failure_rate": 0.1, "delay_ms": [20, 120], "accept_delay_ms": 250]

  /// Launches a campaign and waits until a part of it is sent.
  func underWay(_ name: String, share: Double = 0.2) async throws -> AuditedRun {
    try await world.api.behave(Self.steady)
    var run = try await campaigns.launch(name)
    run.planned = run.sendable / 5
    let enough = Int64(Double(run.audience) * share)
    let launched = run
    try await Poll.until("\(name) to be under way", within: .seconds(60)) { () async throws -> Bool? in
      guard let stats = await auditor.poll(launched) else { return nil }
      return stats.sending + stats.attempted >= enough ? true : nil
    }
    return run
  }

  /// Waits until the run has come to rest, and audits it.
  ///
  /// - Parameter since: from when the recovery is counted; the time until the run has ended is noted.
  func finish(_ run: AuditedRun, _ what: String, since: ContinuousClock.Instant, within limit: Duration = .seconds(180))
    async throws
  {
    let state = run.ends
    do {
      try await Poll.until("\(what): the end", within: limit) {
        _ = await auditor.poll(run)
        return (try? await world.store.run(run.run)?.state) == state ? true : nil
      }
      findings.note("\(what): \(state.rawValue) \(Int(since.duration(to: .now) / .seconds(1))) s later")
    } catch let error as StackError {
      findings.violated("1: \(error)")
    }
    let quiet = Quiet(world: world, auditor: auditor)
    if !(await quiet.wait([run])) { findings.violated("1: \(what) did not come to rest: \(await quiet.state([run]))") }
    try await auditor.audit([run])
    try await auditor.auditLedger()
  }

  /// From now until a send has moved that had not before.
  func untilProgress(_ run: AuditedRun, within limit: Duration = .seconds(120)) async throws -> Double {
    let began = ContinuousClock.now
    var first: Int64?
    try await Poll.until("progress", within: limit, every: .milliseconds(50)) { () async throws -> Bool? in
      guard let stats = await auditor.poll(run) else { return nil }
      let moved = stats.attempted
      guard let before = first else {
        first = moved
        return nil
      }
      return moved > before || stats.inFlight == 0 ? true : nil
    }
    return began.duration(to: .now) / .seconds(1)
  }

  func brokerDown() async throws {
    guard world.brokerIsReal else { throw StackError("broker-down needs a broker that keeps its data: set KAFKA_HOME") }
    let run = try await underWay("broker down")
    try await world.fleet.hold("broker")
    try await wait(60, polling: run)
    try world.fleet.release("broker")
    let up = ContinuousClock.now
    let progress = try await untilProgress(run)
    findings.note(String(format: "broker down for 60 s: progress %.1f s after its start", progress))
    try await finish(run, "broker down for 60 s", since: up)
  }

  func primaryKilled() async throws {
    let run = try await underWay("primary killed")
    let name = try await primary()
    let killed = ContinuousClock.now
    try await world.fleet.hold(name)
    let progress = try await untilProgress(run)
    findings.note(String(format: "MongoDB's primary killed: progress %.1f s later", progress))
    try await wait(20, polling: run)
    try world.fleet.release(name)
    try await finish(run, "MongoDB's primary killed", since: killed)
  }

  func vendorOut() async throws {
    let run = try await underWay("vendor out")
    try await world.api.behave(["outage": true])
    try await wait(60, polling: run)
    try await world.api.behave(["outage": false])
    let up = ContinuousClock.now
    let progress = try await untilProgress(run)
    findings.note(String(format: "vendor out for 60 s: progress %.1f s after its return", progress))
    try await finish(run, "vendor out for 60 s", since: up)
  }

  /// What a frozen worker had claimed is judged by others meanwhile; thawed, it must not send it after all.
  func frozenWorker() async throws {
    let began = ContinuousClock.now
    // A vendor that takes keys for nothing shows every call as a message.
    try await world.api.behave(["honour_idempotency_key": false])
    let run = try await underWay("frozen worker", share: 0.1)
    let workers = world.fleet.names.filter { $0.hasPrefix("send-worker") }
    for name in workers {
      try world.fleet.signal(name, SIGSTOP)
      try await wait(9, polling: run)
      try world.fleet.signal(name, SIGCONT)
    }
    try await finish(run, "send workers frozen for twice their lease", since: began)
  }

  func doubleRun() async throws {
    try await world.api.behave(Self.steady)
    let began = ContinuousClock.now
    var launched: [AuditedRun] = []
    for round in 1...5 {
      let id = try await campaigns.make("double run \(round)")
      let answers = await withTaskGroup(of: ChaosAPI.Answer?.self) { group in
        for _ in 0..<8 {
          group.addTask { await world.api.attempt(.post, "/api/v1/campaigns/\(id)/run", within: .seconds(30)) }
        }
        return await group.reduce(into: []) { $0.append($1) }
      }.compactMap { $0 }
      let accepted = answers.filter { $0.status == 202 }
      if accepted.count != 1 || answers.count != 8 || answers.contains(where: { $0.status != 202 && $0.status != 409 })
      {
        findings.violated("double run: answered \(answers.map(\.status))")
      }
      guard let text = accepted.first?.json["runId"]?.stringValue, let uuid = runID(text) else {
        findings.violated("double run: no answer names a run")
        continue
      }
      var run = AuditedRun(
        run: uuid, campaign: id, sendable: campaigns.sendable, audience: campaigns.audience)
      run.planned = run.sendable * 8 / 10
      let runs = try await runCount(of: id)
      if runs != 1 { findings.violated("double run: \(runs) runs of campaign \(id)") }
      launched.append(run)
    }
    for run in launched { try await finish(run, "eight launches at once", since: began) }
  }

  func pauseResumeCancel() async throws {
    let began = ContinuousClock.now
    let run = try await underWay("pause and resume")
    _ = try await world.api.succeed(.post, "/api/v1/campaigns/\(run.campaign)/pause")
    let atPause = effectiveCalls
    try await settleCalls(run)
    let after = effectiveCalls - atPause
    let bound = ChaosWorld.claimsInHand * world.setting.replicas
    findings.note("pause: \(after) sends began after its answer, at most \(bound) may be in hand")
    if after > bound { findings.violated("pause: \(after) sends after its answer, more than \(bound)") }
    let resting = effectiveCalls
    try await wait(6, polling: run)
    if effectiveCalls != resting { findings.violated("pause: \(effectiveCalls - resting) sends of a paused campaign") }
    _ = try await world.api.succeed(.post, "/api/v1/campaigns/\(run.campaign)/resume")
    try await finish(run, "paused and resumed", since: began)

    var other = try await underWay("cancel")
    other.ends = .cancelled
    _ = try await world.api.succeed(.post, "/api/v1/campaigns/\(other.campaign)/cancel")
    let cancelled = ContinuousClock.now
    try await finish(other, "cancelled", since: cancelled)
    let stats = try await world.store.stats(ofRun: other.run)
    findings.note("cancel: \(stats.cancelled) of \(stats.audience) CANCELLED")
    if stats.cancelled == 0 { findings.violated("cancel: no row is CANCELLED") }
  }

  func droppedTopic() async throws {
    guard case .apacheKafka(let home) = BrokerChoice(environment: world.environment) else {
      throw StackError("dropped-topic needs a broker that can delete a topic: set KAFKA_HOME")
    }
    // Nobody takes the sends while they wait on the topic; with it they vanish.
    for name in world.fleet.names where name.hasPrefix("send-worker") { try await world.fleet.hold(name, SIGTERM) }
    try await world.api.behave(Self.steady)
    var run = try await campaigns.launch("dropped topic")
    run.planned = run.sendable / 2
    let launched = run
    try await Poll.until("the whole audience to be queued", within: .seconds(60)) { () async throws -> Bool? in
      guard let stats = await auditor.poll(launched) else { return nil }
      return stats.queued == Int64(launched.sendable) ? true : nil
    }
    let java = try ApacheKafka.java(environment: world.environment)
    let log = world.fleet.directory.log("delete-topic")
    let pid = try ChildProcess.start(
      java,
      [
        "-Xmx128m", "-cp", "\(home.appending(path: "libs").path)/*", "org.apache.kafka.tools.TopicCommand",
        "--bootstrap-server", world.brokers, "--delete", "--topic", Topic.sendJobs.name,
      ], environment: world.environment, log: log)
    let tool = StackProcess(name: "tool", pid: pid, startTicks: StackProcess.startTicks(of: pid) ?? 0, url: nil)
    guard await Stopping.waitUntilGone([tool], within: .seconds(60)) else {
      throw StackError("the topic was not deleted")
    }
    try await Poll.until("the topic to be gone", within: .seconds(30)) {
      try await world.admin.metadata(topic: Topic.sendJobs.name).topics.isEmpty ? true : nil
    }
    let dropped = ContinuousClock.now
    _ = try await world.admin.createTopics([Topic.sendJobs.specification(partitions: 6, replication: 1)])
    for name in world.fleet.names where name.hasPrefix("send-worker") { try world.fleet.release(name) }
    try await finish(run, "topic of \(run.sendable) sends deleted", since: dropped)
  }

  func rateLimit() async throws {
    let began = Int64(Date().timeIntervalSince1970 * 1000)
    let since = ContinuousClock.now
    let run = try await underWay("rate limit", share: 0.05)
    var random = SeededRandom(seed: options.seed, "rate limit")
    for _ in 0..<6 {
      try await wait(8, polling: run)
      let worker = "send-worker-\(Int.random(in: 1...world.setting.replicas, using: &random))"
      try world.fleet.signal(worker, SIGKILL)
    }
    try await finish(run, "1,200 a minute", since: since, within: .seconds(300))
    // A batch of a second's slots goes out together.
    auditor.auditRate(perMinute: 1200, burst: 20 * world.setting.replicas, since: began)
  }

  /// A vendor that cannot write its ledger accepts nothing; a database that cannot write its journal ends, and is started
  /// again and again until it can.
  func diskFull() async throws {
    let began = ContinuousClock.now
    let run = try await underWay("disk full")
    for disk in world.disks.reversed() {
      for _ in 0..<8 {
        try disk.fill()
        try await wait(1, polling: run)
      }
      try disk.free()
      try await wait(5, polling: run)
    }
    let free = ContinuousClock.now
    findings.note("disks full for 8 s each, \(Int(began.duration(to: free) / .seconds(1))) s in all")
    try await finish(run, "disks full", since: free)
  }

  /// Times that others compare are MongoDB's; a worker whose own clock is wrong must change nothing.
  func clockSkew() async throws {
    let began = ContinuousClock.now
    for (executable, skew) in [("job-expander", "3600"), ("send-worker", "-3600"), ("receipt-aggregator", "3600")] {
      world.fleet.setEnvironment("\(executable)-1", ["CLOCK_SKEW_S": skew])
      try await world.fleet.restart("\(executable)-1")
    }
    try await world.fleet.waitUntilReady(world.victims)
    let run = try await underWay("clock skew", share: 0.1)
    for name in ["send-worker-1", "job-expander-1", "send-worker-2"] {
      try world.fleet.signal(name, SIGKILL)
      try await wait(3, polling: run)
    }
    try await finish(run, "clocks an hour off", since: began)
  }

  // MARK: Looking on

  func wait(_ seconds: Int, polling run: AuditedRun) async throws {
    for _ in 0..<(seconds * 2) {
      _ = await auditor.poll(run)
      await auditor.watchRanks([run])
      try await Task.sleep(for: .milliseconds(500))
    }
  }

  private var effectiveCalls: Int {
    world.ledger.refresh()
    return world.ledger.times.count
  }

  /// Waits until no row is being sent.
  private func settleCalls(_ run: AuditedRun) async throws {
    var before = -1
    try await Poll.until("the sends in hand to end", within: .seconds(30), every: .seconds(2)) {
      _ = await auditor.poll(run)
      defer { before = effectiveCalls }
      return effectiveCalls == before ? true : nil
    }
  }
}
