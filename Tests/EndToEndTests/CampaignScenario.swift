import HTTP
import JSON

/// The main job as a client sees it: leads in, a segment, a campaign, and the numbers until it is done.
struct CampaignScenario: Sendable {
  let stack: TestStack
  let campaignID: String

  /// Imports `count` leads, of whom every tenth has no phone, and makes a campaign over those who spent something.
  ///
  /// - Returns: the scenario, whose audience is all leads with an odd number.
  static func prepare(_ stack: TestStack, leads count: Int, channel: String = "whatsapp") async throws
    -> CampaignScenario
  {
    for start in stride(from: 0, to: count, by: 2000) {
      let rows = (start..<min(start + 2000, count)).map { number -> JSONValue in
        var lead: JSONObject = [
          "name": .string("Lead \(number)"), "emails": .array([.string("lead\(number)@example.com")]),
          "total_spend": .int(Int64(number % 2 * 150)), "metadata": ["city": .string("City \(number % 7)")],
        ]
        if number % 10 != 9 { lead["phones"] = .array([.string("+1555\(1_000_000 + number)")]) }
        return .object(lead)
      }
      let answer = try await stack.succeed(.post, "/api/v1/leads/bulk", ["leads": .array(rows)])
      guard answer.data["inserted"]?.intValue == Int64(rows.count) else {
        throw TestStack.Failure(description: "not all leads were inserted: \(answer.text.prefix(500))")
      }
    }
    let segment = try await stack.succeed(
      .post, "/api/v1/segments",
      [
        "name": "Spenders",
        "rule_ast": ["type": "condition", "field": "total_spend", "operator": ">", "value": 100],
      ])
    let campaign = try await stack.succeed(
      .post, "/api/v1/campaigns",
      [
        "name": "Thanks", "segment_id": segment.data["_id"] ?? .null, "channel": .string(channel),
        "message_template": "Hi {{ name | first_name }} of {{ metadata.city }}", "created_by": "tests",
      ])
    return CampaignScenario(stack: stack, campaignID: campaign.data["_id"]?.stringValue ?? "")
  }

  @discardableResult
  func run(_ body: JSONValue? = nil, headers: HTTPHeaders = [:]) async throws -> JSONValue {
    try await stack.succeed(.post, "/api/v1/campaigns/\(campaignID)/run", body ?? [:], headers: headers).json
  }

  func status() async throws -> String {
    try await stack.succeed(.get, "/api/v1/campaigns/\(campaignID)").data["status"]?.stringValue ?? ""
  }

  static let states = [
    "pending", "queued", "sending", "sent", "delivered", "read", "failed", "skipped", "unknown", "cancelled",
  ]

  /// The counters, which must add up whenever they are read.
  func stats() async throws -> [String: Int64] {
    let data = try await stack.succeed(.get, "/api/v1/campaigns/\(campaignID)/stats").data
    let counters = (["audience"] + Self.states).reduce(into: [String: Int64]()) { counters, name in
      counters[name] = data[name]?.intValue ?? data["stats"]?[name]?.intValue
    }
    let sum = Self.states.reduce(0) { $0 + (counters[$1] ?? -1_000_000) }
    guard counters["audience"] == sum else {
      throw NumbersDoNotAddUp(description: "audience \(counters["audience"] ?? -1), states \(sum): \(counters)")
    }
    return counters
  }

  struct NumbersDoNotAddUp: Error, CustomStringConvertible {
    let description: String
  }

  /// Polls the counters until the campaign is complete and every receipt is in.
  ///
  /// - Returns: the last counters, and how often they were read.
  func untilSettled(within limit: Duration = .seconds(180)) async throws -> (stats: [String: Int64], polls: Int) {
    let deadline = ContinuousClock.now + limit
    var polls = 0
    var last: [String: Int64] = [:]
    while ContinuousClock.now < deadline {
      do {
        last = try await stats()
        polls += 1
        let waiting = ["pending", "queued", "sending", "sent"].reduce(0) { $0 + (last[$1] ?? 0) }
        if waiting == 0, try await status() == "COMPLETED" { return (last, polls) }
      } catch let error as NumbersDoNotAddUp {
        throw error
      } catch {
        // A process is being killed; the next poll tells more.
      }
      try await Task.sleep(for: .milliseconds(100))
    }
    throw TestStack.Failure(description: "not settled within \(limit): \(last)")
  }

  /// The vendor's ledger: send id → how many effective lines it has.
  func effectiveSends() async throws -> [String: Int] {
    var counts: [String: Int] = [:]
    var after: Int64 = 0
    while true {
      let page = try await stack.succeed(.get, "\(stack.vendorURL)/v1/ledger?after=\(after)")
      let lines = page.text.split(separator: "\n")
      if lines.isEmpty { return counts }
      let before = after
      for line in lines {
        let entry = try JSONValue.parse(String(line))
        after = max(after, entry["seq"]?.intValue ?? after)
        if entry["effective"]?.boolValue == true { counts[entry["send_id"]?.stringValue ?? "", default: 0] += 1 }
      }
      if after == before { return counts }
    }
  }
}
