import JSON

/// How a campaign ended.
struct CampaignOutcome: Sendable {
  let final: CampaignProgress
  let status: String
  /// From the launch until the campaign was completed.
  let seconds: Double
  /// From the launch until the last receipt, or until none came any more.
  let settledSeconds: Double

  /// Leads that the vendor was called for.
  var messages: Int64 { final.audience - final["skipped"] - final["cancelled"] - final.inFlight }
  var messagesPerSecond: Double { seconds > 0 ? Double(messages) / seconds : 0 }
}

/// Launches a campaign and watches it until it is completed and its receipts have come.
struct CampaignRun: Sendable {
  let api: APIClient
  let stack: Stack
  let campaign: String

  /// Without any change for so long, a running campaign is stuck.
  private static let stuckAfter: Duration = .seconds(120)
  /// After completion: receipts that have not come by then are not waited for.
  private static let quietAfter: Duration = .seconds(15)
  private static let interval: Duration = .milliseconds(200)

  func run(_ checks: inout Checks) async throws -> CampaignOutcome {
    let clock = ContinuousClock()
    let answer = try await api.post("/api/v1/campaigns/\(campaign)/run", Array("{}".utf8))
    let began = clock.now
    stack.terminal.line("\nCampaign")
    if let message = answer["message"]?.stringValue { stack.terminal.line("  \(message)") }

    var board = ProgressBoard(terminal: stack.terminal)
    var last: CampaignProgress?
    var changed = began
    var completed: Duration?
    var status = "RUNNING"
    while true {
      try failIfAProcessEnded()
      let (progress, now) = (try await readStats(), clock.now)
      if completed == nil {
        status = try await readStatus()
        if status == "COMPLETED" { completed = now - began }
      }
      checks.expect(
        progress.addsUp,
        "at \(fixed((now - began) / .seconds(1), 1)) s the states' sum is \(progress.counts.reduce(0, +)), "
          + "the audience \(progress.audience)")
      if progress != last {
        last = progress
        changed = now
      }
      let isSettled = completed != nil && (progress["sent"] == 0 || now - changed > Self.quietAfter)
      let seconds = (now - began) / .seconds(1)
      board.show(progress, status: status, seconds: seconds, isLast: isSettled)
      if isSettled, let completed {
        checks.expect("leads in flight", progress.inFlight, equals: 0, "COMPLETED")
        return CampaignOutcome(
          final: progress, status: status, seconds: completed / .seconds(1),
          settledSeconds: (changed - began) / .seconds(1))
      }
      guard status == "RUNNING" || status == "COMPLETED" else { throw StackError("the campaign is \(status)") }
      guard now - changed < Self.stuckAfter else {
        throw StackError("the campaign has not moved for \(Self.stuckAfter); logs: \(stack.directory.logs.path)")
      }
      try await Task.sleep(for: Self.interval)
    }
  }

  private func readStats() async throws -> CampaignProgress {
    let answer = try await api.get("/api/v1/campaigns/\(campaign)/stats")
    guard let progress = CampaignProgress(answer["data"]) else {
      throw StackError("unexpected statistics: \(answer.encodedString().prefix(400))")
    }
    return progress
  }

  private func readStatus() async throws -> String {
    let answer = try await api.get("/api/v1/campaigns/\(campaign)")
    guard let status = answer["data"]?["status"]?.stringValue else {
      throw StackError("unexpected campaign: \(answer.encodedString().prefix(400))")
    }
    return status
  }

  private func failIfAProcessEnded() throws {
    guard let process = stack.ended().first else { return }
    throw StackError("\(process.name) has ended; its last words:\n\(stack.directory.tail(process.name))")
  }
}
