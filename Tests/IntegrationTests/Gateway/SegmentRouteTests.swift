import HTTP
import JSON
import Testing

@testable import APIGateway

@Suite(.serialized) struct SegmentRouteTests {
  /// A preview of a stored segment, as of now, is remembered with it; that of any other rule is nobody's.
  @Test func aSegmentKnowsWhatItsLastPreviewCounted() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.marketer)
      for name in ["ann", "bea"] {
        let lead: JSONValue = ["name": .string(name), "emails": [.string("\(name)@example.com")], "tags": ["vip"]]
        try #require(try await harness.request(.post, "/api/v1/leads", lead, as: key).status == 201)
      }
      let rule: JSONValue = ["type": "condition", "field": "tags", "operator": "=", "value": "vip"]
      let made = try await harness.request(.post, "/api/v1/segments", ["name": "VIP", "rule_ast": rule], as: key)
      let id = try #require(made.data["_id"]?.stringValue, "\(made.text)")
      let stored: JSONValue = ["type": "segment", "segment_id": .string(id)]
      let asOf: JSONValue = "2026-01-01T00:00:00Z"
      for body: JSONValue in [["rule_ast": rule], ["rule_ast": stored, "now": asOf]] {
        let answer = try await harness.request(.post, "/api/v1/segments/preview", body, as: key)
        #expect(answer.data["count"] == 2, "\(answer.text)")
      }
      let before = try await harness.request(.get, "/api/v1/segments/\(id)", as: key)
      #expect(before.data["preview_count"] == .null && before.data["previewed_at"] == .null, "\(before.text)")
      let answer = try await harness.request(.post, "/api/v1/segments/preview", ["rule_ast": stored], as: key)
      #expect(answer.data["count"] == 2, "\(answer.text)")
      let after = try await harness.request(.get, "/api/v1/segments/\(id)", as: key)
      #expect(after.data["preview_count"] == 2, "\(after.text)")
      #expect(after.data["previewed_at"]?.stringValue != nil)
    }
  }
}
