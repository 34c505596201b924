import BSON
import CRMCore
import CRMStore
import CivilTime
import Crypto
import HTTP
import JSON
import Testing

@testable import APIGateway

/// Changing and deleting leads, their timelines, and the filters of orders.
@Suite(.serialized) struct LeadRouteTests {
  private func makeLead(
    _ harness: GatewayHarness, _ key: String, _ email: String, _ more: [(key: String, value: JSONValue)] = []
  ) async throws -> String {
    var body: JSONObject = ["name": "Ann", "emails": [.string(email)]]
    body.entries += more
    let made = try await harness.request(.post, "/api/v1/leads", .object(body), as: key)
    return try #require(made.data["_id"]?.stringValue, "\(made.text)")
  }

  private func makeOrder(_ harness: GatewayHarness, _ key: String, _ number: String, _ email: String, at: String)
    async throws
  {
    let order: JSONValue = [
      "order_no": .string(number), "email": .string(email), "total": 10.5, "ordered_at": .string(at),
    ]
    let answer = try await harness.request(.post, "/api/v1/orders", order, as: key)
    try #require(answer.status == 201, "\(answer.text)")
  }

  @Test func aLeadIsReplacedAndItsTotalsStay() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.marketer)
      let id = try await makeLead(harness, key, "a@example.com", [("tags", ["vip"]), ("total_spend", 5)])
      try await makeOrder(harness, key, "A-1", "a@example.com", at: "2026-01-02T00:00:00Z")
      let put = try await harness.request(
        .put, "/api/v1/leads/\(id)", ["name": "Bea", "emails": ["B@example.com"]], as: key)
      #expect(put.status == 200, "\(put.text)")
      #expect(put.data["name"] == "Bea" && put.data["emails"] == ["b@example.com"] && put.data["tags"] == [])
      #expect(put.data["total_spend"]?.doubleValue == 15.5 && put.data["visits"] == 1)
      // What the orders amount to is still known: another order moves it on.
      try await makeOrder(harness, key, "A-2", "b@example.com", at: "2026-01-03T00:00:00Z")
      let lead = try await harness.request(.get, "/api/v1/leads/\(id)", as: key)
      #expect(lead.data["total_spend"]?.doubleValue == 26 && lead.data["visits"] == 2)
      let totals = try await harness.store.mongo.withConnection {
        try $0.findOne(Collections.leads, ["emails": "b@example.com"])?["order_totals"]?.documentValue
      }
      #expect(totals?["count"]?.int64Value == 2 && totals?["sum"]?.doubleValue == 21)
    }
  }

  @Test func aPatchChangesWhatItNames() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.marketer)
      let id = try await makeLead(
        harness, key, "a@example.com",
        [("phones", ["+14155550123"]), ("metadata", ["city": "Oslo", "pet": ["name": "Rex", "age": 3]])])
      let patch: JSONValue = [
        "phones": nil, "metadata": ["pet": ["age": nil]], "opted_out": ["sms": "2026-01-01T00:00:00Z"],
      ]
      let patched = try await harness.request(
        .patch, "/api/v1/leads/\(id)", patch, as: key, headers: ["Content-Type": "application/merge-patch+json"])
      #expect(patched.status == 200, "\(patched.text)")
      #expect(patched.data["name"] == "Ann" && patched.data["phones"] == [])
      #expect(patched.data["metadata"] == ["city": "Oslo", "pet": ["name": "Rex"]])
      #expect(patched.data["opted_out"] == ["sms": "2026-01-01T00:00:00.000Z"])
      let kept = try await harness.request(.patch, "/api/v1/leads/\(id)", ["name": "Bo"], as: key)
      #expect(kept.data["opted_out"] == patched.data["opted_out"])
      let cleared = try await harness.request(.patch, "/api/v1/leads/\(id)", ["opted_out": ["sms": nil]], as: key)
      #expect(cleared.data["opted_out"] == [:])
      let other = try await harness.request(
        .patch, "/api/v1/leads/\(id)", ["name": "x"], as: key, headers: ["Content-Type": "application/json-patch+json"])
      #expect(other.status == 415)
      let entries = try await harness.audit("&action=patchLead&resource_id=\(id)")
      #expect(
        entries.count == 4 && entries.last?["before"]?["phones"] != nil && entries.last?["after"]?["phones"] == [])
    }
  }

  @Test func anEmailOfAnotherLeadIsAConflictThatNamesIt() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.marketer)
      let first = try await makeLead(harness, key, "a@example.com")
      let second = try await makeLead(harness, key, "b@example.com")
      let patch = try await harness.request(
        .patch, "/api/v1/leads/\(second)", ["emails": ["b@example.com", "A@example.com"]], as: key)
      #expect(patch.status == 409 && patch.text.contains(first), "\(patch.text)")
      let put = try await harness.request(
        .put, "/api/v1/leads/\(second)", ["name": "B", "emails": ["a@example.com"]], as: key)
      #expect(put.status == 409 && put.text.contains(first), "\(put.text)")
      let made = try await harness.request(
        .post, "/api/v1/leads", ["name": "C", "emails": ["a@example.com"]], as: key)
      #expect(made.status == 409 && made.text.contains(first), "\(made.text)")
      let unchanged = try await harness.request(.get, "/api/v1/leads/\(second)", as: key)
      #expect(unchanged.data["emails"] == ["b@example.com"])
    }
  }

  @Test func twoWhoChangeOneLeadAtOnceDoNotUndoEachOther() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.marketer)
      let id = try await makeLead(harness, key, "a@example.com")
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<8 {
          group.addTask {
            let patch: JSONValue = ["metadata": .object(JSONObject([("key\(number)", .int(Int64(number)))]))]
            let answer = try await harness.request(.patch, "/api/v1/leads/\(id)", patch, as: key)
            #expect(answer.status == 200, "\(answer.text)")
          }
          group.addTask {
            try await makeOrder(harness, key, "N-\(number)", "a@example.com", at: "2026-01-0\(number + 1)T00:00:00Z")
          }
        }
        try await group.waitForAll()
      }
      let lead = try await harness.request(.get, "/api/v1/leads/\(id)", as: key)
      #expect(lead.data["metadata"]?.objectValue?.count == 8)
      #expect(lead.data["visits"] == 8 && lead.data["total_spend"]?.doubleValue == 84)
    }
  }

  @Test func aDeletedLeadIsGoneWithItsOrdersAndItsNumbersAreFree() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.marketer)
      let id = try await makeLead(harness, key, "a@example.com")
      try await makeOrder(harness, key, "A-1", "a@example.com", at: "2026-01-02T00:00:00Z")
      let deleted = try await harness.request(.delete, "/api/v1/leads/\(id)", as: key)
      #expect(deleted.status == 200 && deleted.data["deleted"] == true, "\(deleted.text)")
      #expect(try await harness.request(.get, "/api/v1/leads/\(id)", as: key).status == 404)
      #expect(try await harness.request(.get, "/api/v1/leads/\(id)/timeline", as: key).status == 404)
      #expect(try await harness.request(.delete, "/api/v1/leads/\(id)", as: key).status == 404)
      #expect(try await harness.request(.get, "/api/v1/orders?search=A-1", as: key).data == [])
      _ = try await makeLead(harness, key, "a@example.com")
      try await makeOrder(harness, key, "A-1", "a@example.com", at: "2026-01-02T00:00:00Z")
      let entry = try #require(try await harness.audit("&action=deleteLead&resource_id=\(id)").last)
      #expect(entry["before"]?["emails"] != nil && entry["after"] == nil, "\(entry.encodedString())")
    }
  }

  @Test func aTimelineMergesOrdersAndMessagesNewestFirst() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.marketer)
      let id = try await makeLead(harness, key, "a@example.com", [("phones", ["+14155550123"])])
      // Three orders at one time, and messages at that time, before it and after it.
      for number in 1...3 {
        try await makeOrder(harness, key, "T-\(number)", "a@example.com", at: "2026-01-02T00:00:00Z")
      }
      try await makeOrder(harness, key, "T-4", "a@example.com", at: "2026-01-04T00:00:00Z")
      let times = ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-02T00:00:00Z", "2026-01-05T00:00:00Z"]
      try await insertMessages(harness, lead: id, at: times)
      var seen: [JSONValue] = []
      var cursor: String?
      repeat {
        let more = cursor.map { "&cursor=\($0)" } ?? ""
        let page = try await harness.request(.get, "/api/v1/leads/\(id)/timeline?limit=1\(more)", as: key)
        try #require(page.status == 200, "\(page.text)")
        #expect(page.json["pagination"]?["total"] == 8)
        seen += page.data.arrayValue ?? []
        cursor = page.json["pagination"]?["next_cursor"]?.stringValue
      } while cursor != nil && seen.count < 20
      let whole = try await harness.request(.get, "/api/v1/leads/\(id)/timeline?limit=100", as: key)
      #expect(whole.data == .array(seen))
      #expect(
        seen.compactMap { $0["type"]?.stringValue }
          == ["message", "order", "order", "order", "order", "message", "message", "message"])
      let ids = seen.compactMap { $0["order"]?["_id"]?.stringValue ?? $0["message"]?["_id"]?.stringValue }
      #expect(Set(ids).count == 8)
      #expect(try await harness.request(.get, "/api/v1/leads/\(id)/timeline?page=2", as: key).fields == ["page"])
      #expect(try await harness.request(.get, "/api/v1/leads/\(id)/timeline?cursor=x", as: key).fields == ["cursor"])
    }
  }

  private func insertMessages(_ harness: GatewayHarness, lead: String, at times: [String]) async throws {
    let lead = try #require(ObjectID(hex: lead))
    try await harness.store.mongo.withConnection { connection in
      for (number, time) in times.enumerated() {
        var row: BSONDocument = [
          "_id": .uuid(UUIDBytes().bytes), "campaign_id": .objectID(ObjectID()), "run_id": .uuid(UUIDBytes().bytes),
          "lead_id": .objectID(lead), "channel": "sms", "status": number == 0 ? "SKIPPED" : "QUEUED", "rank": 1,
          "attempt": 0,
        ]
        let at = Timestamp(rfc3339: time)?.milliseconds ?? 0
        row.appendDate(number == 0 ? "skipped_at" : "queued_at", milliseconds: at)
        row.appendDate("updated_at", milliseconds: at + 1)
        try connection.insertOne(Collections.communicationLogs, row)
      }
    }
  }

  @Test func ordersAreFoundByLeadAndTime() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.marketer)
      let ann = try await makeLead(harness, key, "a@example.com")
      _ = try await makeLead(harness, key, "b@example.com")
      try await makeOrder(harness, key, "A-1", "a@example.com", at: "2026-01-01T00:00:00Z")
      try await makeOrder(harness, key, "A-2", "a@example.com", at: "2026-01-02T00:00:00Z")
      try await makeOrder(harness, key, "B-1", "b@example.com", at: "2026-01-02T00:00:00Z")
      func numbers(_ query: String) async throws -> [String] {
        let answer = try await harness.request(.get, "/api/v1/orders?\(query)", as: key)
        #expect(answer.status == 200, "\(answer.text)")
        return (answer.data.arrayValue ?? []).compactMap { $0["order_no"]?.stringValue }.sorted()
      }
      #expect(try await numbers("email=A@example.com") == ["A-1", "A-2"])
      #expect(try await numbers("email=nobody@example.com") == [])
      #expect(try await numbers("email=b@example.com&lead_id=\(ann)") == [])
      #expect(try await numbers("lead_id=\(ann)&from=2026-01-02T00:00:00Z") == ["A-2"])
      #expect(try await numbers("from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z") == ["A-1"])
      let bad = try await harness.request(.get, "/api/v1/orders?email=x&from=yesterday&to=1", as: key)
      #expect(bad.status == 400 && bad.fields == ["email", "from", "to"])
    }
  }
}
