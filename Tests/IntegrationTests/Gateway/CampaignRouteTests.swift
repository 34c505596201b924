import CRMCore
import HTTP
import JSON
import Testing

@testable import APIGateway

@Suite(.serialized) struct CampaignRouteTests {
  private func campaign(_ harness: GatewayHarness, _ key: String) async throws -> JSONValue {
    let rule: JSONValue = ["type": "condition", "field": "tags", "operator": "=", "value": "nobody"]
    let segment = try await harness.request(.post, "/api/v1/segments", ["name": "Nobody", "rule_ast": rule], as: key)
    return [
      "name": "Spring", "segment_id": try #require(segment.data["_id"], "\(segment.text)"), "message_template": "Hi",
      "channel": "sms", "send": true,
    ]
  }

  private func count(_ harness: GatewayHarness, _ key: String) async throws -> Int? {
    try await harness.request(.get, "/api/v1/campaigns", as: key).data.arrayValue?.count
  }

  @Test func nothingIsMadeToBeSentWhileKafkaIsKnownToBeAway() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.marketer)
      let body = try await campaign(harness, key)
      harness.gateway.context.health.report(.kafka, problem: "it does not answer")
      let answer = try await harness.request(.post, "/api/v1/campaigns", body, as: key)
      #expect(answer.status == 503 && answer.problem == "dependency-unavailable", "\(answer.text)")
      #expect(try await count(harness, key) == 0)
    }
  }

  /// Who reads that it failed makes the campaign again, and everybody is messaged twice.
  @Test func aCampaignThatStandsIsNoFailureAlsoWhenKafkaGoesInThatMoment() async throws {
    // Nobody listens there, and nobody has noticed.
    try await GatewayHarness.with(["KAFKA_BROKERS": "127.0.0.1:9"]) { harness in
      let key = try await harness.key(.marketer)
      let body = try await campaign(harness, key)
      let answer = try await harness.request(.post, "/api/v1/campaigns", body, as: key)
      #expect(answer.status == 201 && answer.data["status"] == "RUNNING", "\(answer.text)")
      #expect(try await count(harness, key) == 1)
    }
  }
}
