import CRMCore
import Crypto
import JSON

/// Leads, a segment and launches, through the API like any client.
struct ChaosCampaigns: Sendable {
  let world: ChaosWorld
  let segment: String
  let audience: Int
  /// Every tenth lead has no telephone.
  var sendable: Int { audience - audience / 10 }

  static func prepare(_ world: ChaosWorld) async throws -> ChaosCampaigns {
    let count = world.setting.leads
    for start in stride(from: 0, to: count, by: 2000) {
      let rows = (start..<min(start + 2000, count)).map { number -> JSONValue in
        var lead: JSONObject = [
          "name": .string("Lead \(number)"), "emails": .array([.string("lead\(number)@example.com")]),
          "total_spend": 100,
        ]
        if number % 10 != 9 { lead["phones"] = .array([.string("+1555\(1_000_000 + number)")]) }
        return .object(lead)
      }
      _ = try await world.api.succeed(.post, "/api/v1/leads/bulk", ["leads": .array(rows)])
    }
    let segment = try await world.api.succeed(
      .post, "/api/v1/segments",
      [
        // Those who are imported meanwhile have spent nothing.
        "name": "Everybody",
        "rule_ast": ["type": "condition", "field": "total_spend", "operator": ">=", "value": 100],
      ])
    guard let id = segment.data["_id"]?.stringValue else { throw StackError("the segment has no _id") }
    return ChaosCampaigns(world: world, segment: id, audience: count)
  }

  /// Makes a campaign.
  ///
  /// - Returns: its id.
  func make(_ name: String) async throws -> String {
    let campaign = try await world.api.succeed(
      .post, "/api/v1/campaigns",
      [
        "name": .string(name), "segment_id": .string(segment), "message_template": "Hi {{ name | first_name }}",
        "channel": "whatsapp", "created_by": "chaos",
      ])
    guard let id = campaign.data["_id"]?.stringValue else { throw StackError("the campaign has no _id") }
    return id
  }

  /// Makes a campaign and launches it; the launch is repeated under its key until it is answered.
  func launch(_ name: String) async throws -> AuditedRun {
    let id = try await make(name)
    let answer = try await world.api.persist(.post, "/api/v1/campaigns/\(id)/run", Array("{}".utf8))
    // A gateway that was killed before it kept the answer may leave a repetition with the conflict that names the run.
    guard let text = answer.json["runId"]?.stringValue, let run = UUIDBytes(text) else {
      throw StackError("run of \(id): \(answer.status) \(answer.json.encodedString().prefix(500))")
    }
    return AuditedRun(run: run, campaign: id, sendable: sendable, audience: audience)
  }
}
