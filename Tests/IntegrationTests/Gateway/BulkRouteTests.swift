import BSON
import CRMCore
import CRMStore
import HTTP
import JSON
import Testing

@testable import APIGateway

/// What bulk requests answer at the edges of what they may hold.
@Suite(.serialized) struct BulkRouteTests {
  private func lead(_ email: String, _ more: (key: String, value: JSONValue)...) -> JSONValue {
    .object(JSONObject([(key: "name", value: "Ann"), (key: "emails", value: [.string(email)])] + more))
  }

  @Test func noRowsAreNoError() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.marketer)
      for path in ["leads", "orders"] {
        let body: JSONValue = .object([path: []])
        let answer = try await harness.request(.post, "/api/v1/\(path)/bulk", body, as: key)
        #expect(answer.status == 200 && answer.data["accepted"] == 0, "\(answer.text)")
        let handedOver = try await harness.request(.post, "/api/v1/\(path)/bulk?mode=async", body, as: key)
        #expect(handedOver.status == 202 && handedOver.data["state"] == "completed", "\(handedOver.text)")
      }
    }
  }

  /// Ten megabytes can be wrong a million times. The answer names each bad row, and says how much it leaves out.
  @Test func aFloodOfErrorsIsAnsweredBriefly() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.marketer)
      let flood = (0..<100_000).map { (key: "u\($0)", value: JSONValue.int(1)) }
      let one: JSONValue = ["leads": [.object(JSONObject(flood)), lead("good@example.com")]]
      let answer = try await harness.request(.post, "/api/v1/leads/bulk", one, as: key)
      #expect(answer.status == 200 && answer.data["inserted"] == 1, "\(answer.text.prefix(500))")
      let errors = try #require(answer.data["rejected"]?[0]?["errors"]?.arrayValue)
      #expect(errors.count == 103)
      #expect(errors.last?["field"] == "leads[0]" && errors.last?["message"] == "has 99900 more unknown fields")

      let unknown = (0..<50).map { (key: "u\($0)", value: JSONValue.int(1)) }
      let rows = Array(repeating: JSONValue.object(JSONObject(unknown)), count: 1000)
      let all = try await harness.request(.post, "/api/v1/leads/bulk", ["leads": .array(rows)], as: key)
      let rejected = try #require(all.data["rejected"]?.arrayValue, "\(all.text.prefix(500))")
      #expect(rejected.count == 1000)
      let listed = rejected.reduce(0) { $0 + ($1["errors"]?.arrayValue?.count ?? 0) }
      #expect(listed < 23_000)
      let last = try #require(rejected.last?["errors"]?.arrayValue)
      #expect(last.count == 2 && last[1]["code"] == "more_errors" && last[1]["field"] == "leads[999]")
      let job = try await harness.request(
        .get, "/api/v1/jobs/\(try #require(all.data["jobId"]?.stringValue))", as: key)
      #expect(job.data["rejected"] == 1000)
    }
  }

  /// A row that no record can hold is an error of its own: the others are handed over.
  @Test func aRowThatIsTooLongForTheBrokerIsRejectedAlone() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.marketer)
      let long = String(repeating: "x", count: 600_000)
      let rows: [JSONValue] = [lead("a@example.com"), lead("b@example.com", ("long", .string(long)))]
      let answer = try await harness.request(
        .post, "/api/v1/leads/bulk?mode=async", ["leads": .array(rows)], as: key)
      #expect(answer.status == 202, "\(answer.text)")
      let id = try #require(answer.data["jobId"]?.stringValue)
      let job = try await harness.request(.get, "/api/v1/jobs/\(id)", as: key)
      #expect(job.data["received"] == 2 && job.data["rejected"] == 1, "\(job.text)")
      let errors = try await harness.store.jobErrors(try #require(ObjectID(hex: id)), limit: 10).errors
      #expect(errors.map { "\($0.row) \($0.field) \($0.code)" } == ["2 row too_long"])
    }
  }
}
