import BSON
import CRMCore
import CRMStore
import HTTP
import JSON
import Testing

@testable import APIGateway

/// The dashboard counts what is there.
@Suite struct DashboardTests {
  @Test func anEmptyShopHasThirtyEmptyDays() async throws {
    try await GatewayHarness.with { harness in
      let answer = try await harness.request(.get, "/api/v1/dashboard/stats", as: try await harness.key(.viewer))
      #expect(answer.status == 200, "\(answer.text)")
      #expect(answer.data["totalCustomers"] == 0 && answer.data["activeCampaigns"] == 0)
      #expect(answer.data["deliveryRate"]?.doubleValue == 0)
      let days = try #require(answer.data["messagesByDay"]?.arrayValue)
      #expect(days.count == 30 && days.allSatisfy { $0["sent"] == 0 })
      let dates = days.compactMap { $0["date"]?.stringValue }
      #expect(dates == dates.sorted() && Set(dates).count == 30)
    }
  }

  @Test func leadsMessagesAndActivityAreCounted() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.admin)
      let rows = (0..<7).map { ["name": "A", "emails": [.string("a\($0)@x.com")], "tags": ["t"]] as JSONValue }
      let bulk = try await harness.request(.post, "/api/v1/leads/bulk", ["leads": .array(rows)], as: key)
      #expect(bulk.status == 200, "\(bulk.text)")
      let old = Lead(
        id: ObjectID(lowestAt: 1_700_000_000), name: "Old", emails: ["old@x.com"], createdAt: harness.store.clock.now(),
        updatedAt: harness.store.clock.now())
      try await harness.store.mongo.withConnection { try $0.insertOne(Collections.leads, old.bson()) }
      let rule: JSONValue = ["type": "condition", "field": "tags", "operator": "HAS_ANY", "value": ["t"]]
      let segment = try await harness.request(.post, "/api/v1/segments", ["name": "S", "rule_ast": rule], as: key)
      let made = try await harness.request(
        .post, "/api/v1/campaigns",
        [
          "name": "C", "segment_id": segment.data["_id"] ?? .null, "message_template": "Hi", "channel": "email",
          "send": true,
        ], as: key)
      #expect(made.status == 201, "\(made.text)")
      let id = try #require(made.data["_id"]?.stringValue.flatMap(ObjectID.init(hex:)))
      let run = try #require(try await harness.store.campaign(id).currentRun)
      // What two slots of the run's counters hold.
      try await harness.store.mongo.withConnection { connection in
        for (slot, counters) in [(0, ["audience": 5, "delivered": 4, "failed": 1]), (3, ["audience": 3, "read": 3])] {
          var document: BSONDocument = ["_id": .string("\(run.string)/\(slot)"), "run_id": .uuid(run.bytes)]
          for (name, value) in counters { document.append(name, Int64(value)) }
          try connection.insertOne(Collections.runStats, document)
        }
      }
      let answer = try await harness.request(.get, "/api/v1/dashboard/stats", as: key)
      #expect(answer.status == 200, "\(answer.text)")
      #expect(answer.data["totalCustomers"] == 8 && answer.data["customerSegments"] == 1)
      #expect(answer.data["activeCampaigns"] == 1)
      #expect(answer.data["deliveryRate"]?.doubleValue == 0.875)
      let today = try #require(answer.data["messagesByDay"]?.arrayValue?.last)
      #expect(today["audience"] == 8 && today["sent"] == 8 && today["delivered"] == 7 && today["failed"] == 1)
      let growth = try #require(answer.data["leadGrowth"]?.arrayValue)
      #expect(growth.last?["new"] == 7 && growth.last?["total"] == 8 && growth.first?["total"] == 1)
      let actions = (answer.data["recentActivity"]?.arrayValue ?? []).compactMap { $0["action"]?.stringValue }
      #expect(actions.prefix(3) == ["createCampaign", "createSegment", "bulkUpsertLeads"])
      #expect(!answer.text.contains("actor"))
    }
  }
}
