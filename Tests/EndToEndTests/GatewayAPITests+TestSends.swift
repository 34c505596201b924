import HTTP
import JSON
import Testing

// A campaign's message, sent to addresses of one's own.
extension GatewayAPITests {
  private struct Draft {
    let campaign: String
    let lead: String
    var path: String { "/api/v1/campaigns/\(campaign)/test-send" }
  }

  /// A campaign over one lead, who has a tag of its own.
  private func draft(template: String = "Hi {{ name | first_name }}", _ channel: String = "sms") async throws -> Draft {
    let stack = try await stack
    let tag = Self.unique("try")
    let lead = try await stack.succeed(
      .post, "/api/v1/leads",
      ["name": "Mia Example", "emails": [.string("\(tag)@example.com")], "tags": [.string(tag)]])
    let segment = try await stack.succeed(
      .post, "/api/v1/segments",
      [
        "name": "One",
        "rule_ast": ["type": "condition", "field": "tags", "operator": "HAS_ANY", "value": [.string(tag)]],
      ])
    let campaign = try await stack.succeed(
      .post, "/api/v1/campaigns",
      [
        "name": "Trial", "segment_id": segment.data["_id"] ?? .null, "message_template": .string(template),
        "channel": .string(channel), "created_by": "tests",
      ])
    return Draft(
      campaign: try #require(campaign.data["_id"]?.stringValue), lead: try #require(lead.data["_id"]?.stringValue))
  }

  /// The campaign's test sends once each has got an answer from the vendor.
  private func settledTests(_ draft: Draft, count: Int) async throws -> [JSONValue] {
    let stack = try await stack
    let path = "/api/v1/campaigns/\(draft.campaign)/test-sends"
    try await until("the test sends are made") {
      let rows = try await stack.succeed(.get, path).data.arrayValue ?? []
      return rows.count == count && rows.allSatisfy { ["DELIVERED", "FAILED", "READ"].contains($0["status"]) }
    }
    return try await stack.succeed(.get, path).data.arrayValue ?? []
  }

  @Test func aTestSendReachesItsAddressesAndCountsNowhere() async throws {
    let stack = try await stack
    let draft = try await draft()
    let body: JSONValue = ["to": ["+49 151 0000 0001", "+4915100000002"]]
    let key: HTTPHeaders = ["Idempotency-Key": .init(Self.unique("key"))]
    let answer = try await stack.request(.post, draft.path, body, headers: key)
    #expect(answer.status == 202, "\(answer.text)")
    let sends = try #require(answer.data.arrayValue)
    #expect(sends.map { $0["to"] } == ["+4915100000001", "+4915100000002"])
    #expect(sends.allSatisfy { $0["message"] == "Hi Mia" && $0["lead_id"]?.stringValue == draft.lead })
    #expect(Set(sends.compactMap { $0["send_id"]?.stringValue }).count == 2)
    // The same request again is the same sends.
    #expect(try await stack.request(.post, draft.path, body, headers: key).json == answer.json)

    let rows = try await settledTests(draft, count: 2)
    #expect(rows.allSatisfy { $0["vendor"] != nil && $0["attempt"] == 1 }, "\(rows)")
    for row in rows {
      let id = row["send_id"]?.stringValue ?? ""
      let calls = try await stack.request(.get, "\(stack.vendorURL)/v1/ledger?send_id=\(id)").text
      #expect(calls.split(separator: "\n").count == 1, "\(calls)")
    }
    let campaign = try await stack.succeed(.get, "/api/v1/campaigns/\(draft.campaign)").data
    #expect(campaign["status"] == "DRAFT" && campaign["current_run"] == .null, "\(campaign)")
    #expect(try await stack.succeed(.get, "/api/v1/campaigns/\(draft.campaign)/logs").data == [])
    let timeline = try await stack.succeed(.get, "/api/v1/leads/\(draft.lead)/timeline").data
    #expect(timeline == [])
  }

  @Test func aTestSendThatCannotBeMadeSaysWhy() async throws {
    let stack = try await stack
    let draft = try await draft(template: "Hi {{ name }} of {{ metadata.city }}")
    let to: JSONValue = ["+4915100000001"]
    expectProblem(
      try await stack.request(.post, draft.path, ["to": to]), 422, "impossible-message")
    expectProblem(
      try await stack.request(.post, draft.path, ["to": ["mia@example.com"]]), 422, "impossible-message",
      fields: ["to[0]"])
    expectProblem(
      try await stack.request(.post, draft.path, ["to": to, "lead_id": "00000000000000000000000a"]), 422,
      "unknown-reference", fields: ["lead_id"])
    expectProblem(
      try await stack.request(.post, draft.path, ["to": ["12", 3], "lead": "x"]), 400, "validation-failed",
      fields: ["to[0]", "to[1]", "lead"])
    expectProblem(
      try await stack.request(.post, draft.path, ["to": .array(Array(repeating: "+4915100000001", count: 11))]), 400,
      "validation-failed", fields: ["to"])
    expectProblem(
      try await stack.request(.post, "/api/v1/campaigns/00000000000000000000000a/test-send", ["to": to]), 404,
      "not-found")
    #expect(try await stack.succeed(.get, "/api/v1/campaigns/\(draft.campaign)/test-sends").data == [])
  }
}
