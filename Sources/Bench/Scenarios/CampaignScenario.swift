import JSON

/// What a campaign to all leads came to. Times are in seconds from the request to run it; as fine as the polls are.
struct CampaignResult: Sendable {
  let final: CampaignCounts
  let frozen: Double
  let expanded: Double
  /// Nothing waits or is under way any more.
  let lastSent: Double
  let completed: Double
  /// The last receipt is merged.
  let settled: Double
  let polls: Int
  let uses: [ProcessUse]
  let machine: MachineUse
  let stages: StageTimes

  var messages: Int { final.audience - final["skipped"] }
  var perSecond: Double { Double(messages) / settled }
}

/// Scenario 2: a campaign to every lead, from the request to run it until the last receipt is merged.
struct CampaignScenario: Sendable {
  let api: APIClient
  let running: RunningStack
  let meter: ProcessMeter
  let console: Console
  let id: String

  private static let interval: Duration = .milliseconds(250)
  /// A campaign that does not change for so long is stuck.
  private static let stuckAfter: Duration = .seconds(90)
  private static let template =
    "Hi {{ name | first_name }}, thank you for shopping with us. Free delivery to "
    + "{{ metadata.city | default: \"your city\" }} this week."

  /// Makes the segment and the campaign.
  static func prepare(
    api: APIClient, running: RunningStack, meter: ProcessMeter, console: Console
  ) async throws -> CampaignScenario {
    let segment = try await api.post(
      "/api/v1/segments",
      [
        "name": "Everybody",
        "rule_ast": ["type": "condition", "field": "total_spend", "operator": ">=", "value": 0],
      ])
    guard let segmentID = segment["data"]?["_id"]?.stringValue else { throw BenchError("the segment has no _id") }
    let campaign = try await api.post(
      "/api/v1/campaigns",
      [
        "name": "Benchmark", "segment_id": .string(segmentID), "message_template": .string(template),
        "channel": "whatsapp", "created_by": "bench",
      ])
    guard let id = campaign["data"]?["_id"]?.stringValue else { throw BenchError("the campaign has no _id") }
    return CampaignScenario(api: api, running: running, meter: meter, console: console, id: id)
  }

  func counts() async throws -> CampaignCounts {
    try CampaignCounts(try await api.get("/api/v1/campaigns/\(id)/stats"))
  }

  func run(leads: Int, _ checks: inout Checks) async throws -> CampaignResult {
    let stagesBefore = await StageTimes.read(running, api)
    var reading = meter.begin()
    var timeline = Timeline()
    _ = try await api.post("/api/v1/campaigns/\(id)/run", [:])
    var last: CampaignCounts?
    while true {
      try running.failIfAProcessEnded()
      let counts = try await counts()
      reading.sample()
      let at = timeline.note(counts)
      checks.expect("at \(fixed(at, 2)) s the states' sum", counts.sum, "the audience", counts.audience)
      if counts.isSettled {
        last = counts
        break
      }
      guard ["RUNNING", "COMPLETED"].contains(counts.status) else { throw BenchError("the campaign is \(counts.text)") }
      guard timeline.sinceChange < Self.stuckAfter else {
        throw BenchError("the campaign has not moved for \(Self.stuckAfter): \(counts.text)")
      }
      if timeline.isTimeToTell { console.progress("  \(fixed(at, 1)) s  \(counts.text)") }
      try await Task.sleep(for: Self.interval)
    }
    let used = reading.end()
    guard let final = last else { throw BenchError("the campaign has no end") }
    console.progress("  \(fixed(timeline.settled ?? 0, 1)) s  \(final.text)")
    checks.expect("the campaign's audience", final.audience, "the leads", leads)
    checks.expect("sends left UNKNOWN or cancelled", final["unknown"] + final["cancelled"], "none", 0)
    let logs = try await api.get("/api/v1/campaigns/\(id)/logs?limit=1")
    checks.expect(
      "rows of the communication log", Int(logs["pagination"]?["total"]?.intValue ?? -1), "the audience", final.audience
    )
    return CampaignResult(
      final: final, frozen: timeline.frozen ?? 0, expanded: timeline.expanded ?? 0, lastSent: timeline.sent ?? 0,
      completed: timeline.completed ?? 0, settled: timeline.settled ?? 0, polls: timeline.polls,
      uses: used.processes, machine: used.machine, stages: await StageTimes.read(running, api).since(stagesBefore))
  }

  /// When a campaign was first seen to have come so far.
  private struct Timeline {
    private let began = ContinuousClock.now
    private var changed = ContinuousClock.now
    private var told = ContinuousClock.now
    private var last: CampaignCounts?
    private(set) var polls = 0
    private(set) var frozen: Double?
    private(set) var expanded: Double?
    private(set) var sent: Double?
    private(set) var completed: Double?
    private(set) var settled: Double?

    /// - Returns: seconds since the beginning.
    mutating func note(_ counts: CampaignCounts) -> Double {
      let now = ContinuousClock.now
      let at = began.duration(to: now) / .seconds(1)
      polls += 1
      if counts != last { changed = now }
      last = counts
      if counts.isFrozen { frozen = frozen ?? at }
      if counts.isExpanded { expanded = expanded ?? at }
      if counts.isSent { sent = sent ?? at }
      if counts.isCompleted { completed = completed ?? at }
      if counts.isSettled { settled = settled ?? at }
      return at
    }

    var sinceChange: Duration { changed.duration(to: .now) }

    var isTimeToTell: Bool {
      mutating get {
        let now = ContinuousClock.now
        guard told.duration(to: now) > .seconds(2) else { return false }
        told = now
        return true
      }
    }
  }
}
