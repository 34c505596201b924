import BSON
import CRMCore
import CRMStore
import CivilTime
import Crypto
import HTTP
import JSON
import Runtime
import Testing

@testable import APIGateway

/// Every write leaves an entry that says who, what and from what to what.
@Suite(.serialized) struct AuditTests {
  private static let rule: JSONValue = ["type": "condition", "field": "visits", "operator": ">", "value": 1]

  @Test func aChangeIsEnteredWithBeforeAndAfter() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.marketer, name: "Ana")
      let made = try await harness.request(
        .post, "/api/v1/segments", ["name": "Old", "rule_ast": Self.rule], as: key, from: "198.51.100.4", id: "req-1")
      let id = try #require(made.data["_id"]?.stringValue)
      try await harness.request(
        .put, "/api/v1/segments/\(id)", ["name": "New", "rule_ast": Self.rule], as: key, id: "req-2")
      try await harness.request(.delete, "/api/v1/segments/\(id)", as: key, id: "req-3")

      let entries = try await harness.audit("&resource_id=\(id)")
      #expect(entries.map { $0["action"]?.stringValue } == ["deleteSegment", "replaceSegment", "createSegment"])
      let (deleted, changed, created) = (entries[0], entries[1], entries[2])
      #expect(created["actor_name"]?.stringValue == "Ana" && created["role"]?.stringValue == "marketer")
      #expect(created["actor"]?.stringValue?.hasPrefix("key:") == true)
      #expect(created["request_id"]?.stringValue == "req-1")
      #expect(created["remote_address"]?.stringValue == "198.51.100.4")
      #expect(created["outcome"]?.stringValue == "succeeded" && created["status"]?.intValue == 201)
      #expect(created["before"] == nil && created["after"]?["name"]?.stringValue == "Old")
      #expect(changed["before"] == ["name": "Old"] && changed["after"] == ["name": "New"])
      #expect(deleted["before"]?["name"]?.stringValue == "New" && deleted["after"] == nil)
    }
  }

  @Test func aDuplicateIsEnteredAsTheMakingOfTheCopy() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.marketer)
      let made = try await harness.request(.post, "/api/v1/segments", ["name": "Old", "rule_ast": Self.rule], as: key)
      let original = try #require(made.data["_id"]?.stringValue, "\(made.text)")
      let target = "/api/v1/segments/\(original)/duplicate"
      let duplicate = try await harness.request(.post, target, ["name": "Copy"], as: key)
      let copy = try #require(duplicate.data["_id"]?.stringValue, "\(duplicate.text)")
      let refused = try await harness.request(.post, target, ["name": ""], as: key)
      #expect(refused.status == 400)

      let entries = try await harness.audit("&resource_id=\(copy)")
      try #require(entries.count == 1)
      #expect(entries[0]["action"]?.stringValue == "duplicateSegment" && entries[0]["status"]?.intValue == 201)
      #expect(entries[0]["path"]?.stringValue == target, "names the original")
      #expect(entries[0]["before"] == nil && entries[0]["after"]?["name"]?.stringValue == "Copy")
      let others = try await harness.audit("&resource_id=\(original)")
      #expect(others.map { $0["action"]?.stringValue } == ["duplicateSegment", "createSegment"])
      #expect(others.first?["outcome"]?.stringValue == "refused", "nothing was made that could be named")
    }
  }

  @Test func aCorrectionOfAnOrderIsEnteredWithBeforeAndAfter() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.marketer)
      try await harness.request(.post, "/api/v1/leads", ["name": "A", "emails": ["a@x.com"]], as: key)
      var statuses: [Int] = []
      // The number is the same: white space around it does not count.
      for (number, total) in [("N-1", 10.0), (" N-1 ", 25.0)] {
        let order: JSONValue = [
          "order_no": .string(number), "email": "a@x.com", "total": .double(total),
          "ordered_at": "2026-01-02T03:04:05Z",
        ]
        statuses.append(try await harness.request(.post, "/api/v1/orders", order, as: key).status)
      }
      #expect(statuses == [201, 200])

      let entries = try await harness.audit("&action=createOrder")
      try #require(entries.count == 2)
      let (corrected, created) = (entries[0], entries[1])
      #expect(created["before"] == nil && created["after"]?["total"]?.doubleValue == 10)
      #expect(corrected["resource_id"] == created["resource_id"] && created["resource_id"] != nil)
      #expect(corrected["before"]?["total"]?.doubleValue == 10 && corrected["after"]?["total"]?.doubleValue == 25)
      #expect(corrected["before"]?["order_no"] == nil, "only what changed")
    }
  }

  /// A client that breaks off, and the deadline of a handler, cancel what carries the request out.
  @Test func aCancelledRequestIsEnteredWithItsOutcome() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.marketer)
      let made = try await harness.request(.post, "/api/v1/segments", ["name": "Old", "rule_ast": Self.rule], as: key)
      let id = try #require(made.data["_id"]?.stringValue, "\(made.text)")
      let incomplete = harness.gateway.context.instruments.auditIncomplete
      let audit = AuditLog(
        store: harness.store, clock: SystemClock(), keptFor: nil, log: harness.gateway.log, incomplete: incomplete)
      let route = try #require(harness.gateway.routes.first(where: { $0.name == "replaceSegment" }))
      let body: JSONValue = ["name": "New", "rule_ast": Self.rule]
      var http = try HTTPRequest(
        .put, "/api/v1/segments/\(id)", headers: ["Content-Type": "application/json"], body: body.encoded())
      http.parameters = ["id": id]
      let request = APIRequest(http, log: harness.gateway.log)

      let isWritten = Latch<Bool>()
      let task = Task {
        try await audit.record(route, request) { request in
          let response = try await route.handler(request)
          isWritten.set(true)
          // Nobody sets this one: the wait ends with the task's cancellation.
          _ = await Latch<Bool>().wait()
          return response
        }
      }
      _ = try await withDeadline(.seconds(30), "the write") { await isWritten.wait() }
      task.cancel()
      #expect(try await task.value.status == 200)

      let entries = try await harness.audit("&action=replaceSegment")
      try #require(entries.count == 1)
      #expect(entries[0]["outcome"]?.stringValue == "succeeded" && entries[0]["status"]?.intValue == 200)
      #expect(entries[0]["before"] == ["name": "Old"] && entries[0]["after"] == ["name": "New"])
      #expect(incomplete.value == 0)
    }
  }

  @Test func secretsMessagesAndPeoplesDataAreNotInIt() async throws {
    try await GatewayHarness.with { harness in
      let admin = try await harness.key(.admin)
      let apiKey = try #require(
        try await harness.request(.post, "/api/v1/api-keys", ["name": "K", "role": "viewer"], as: admin).data["key"]?
          .stringValue)
      let token = try #require(
        try await harness.request(.post, "/api/auth/token", as: apiKey).data["access_token"]?.stringValue)
      try await harness.request(
        .post, "/api/v1/leads",
        [
          "name": "Zebedee", "emails": ["zebedee@example.com"], "phones": ["+14155550123"],
          "metadata": ["diagnosis": "measles"],
        ], as: admin)
      let segment = try await harness.request(
        .post, "/api/v1/segments", ["name": "S", "rule_ast": Self.rule], as: admin)
      try await harness.request(
        .post, "/api/v1/campaigns",
        [
          "name": "C", "segment_id": segment.data["_id"] ?? .null, "message_template": "Your test was positive",
          "channel": "sms",
        ], as: admin)
      let log = try await harness.store.mongo.withConnection {
        try $0.findAll(Collections.auditLog, [:], limit: 100).map { JSONValue(bson: .document($0)).encodedString() }
      }.joined()
      for hidden in [apiKey, token, admin, "Zebedee", "zebedee@", "4155550123", "measles", "Your test was positive"] {
        #expect(!log.contains(hidden), "\(hidden) is in the audit log")
      }
      #expect(log.contains("z…@example.com") && log.contains("diagnosis"))
      #expect(log.contains(hexString(SHA256.digest(Array("Your test was positive".utf8)))))
    }
  }

  @Test func aBulkIsOneEntryWithItsCounts() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.marketer)
      let rows = (0..<50).map { JSONValue.object(["name": "R", "emails": [.string("r\($0)@x.com")]]) }
      try await harness.request(.post, "/api/v1/leads/bulk", ["leads": .array(rows + [["name": 7]])], as: key)
      let entries = try await harness.audit("&action=bulkUpsertLeads")
      #expect(entries.count == 1)
      #expect(entries[0]["counts"]?["accepted"]?.intValue == 50 && entries[0]["counts"]?["rejected"]?.intValue == 1)
      #expect(entries[0]["after"] == nil)
    }
  }

  @Test func whatIsRefusedIsEnteredAsRefusedAndReadsAreNot() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.marketer)
      try await harness.request(.post, "/api/v1/leads", ["name": ""], as: key)
      try await harness.request(.get, "/api/v1/leads", as: key)
      try await harness.request(.post, "/api/v1/segments/preview", ["rule_ast": Self.rule], as: key)
      let entries = try await harness.audit()
      #expect(entries.map { $0["outcome"]?.stringValue } == ["refused"])
      #expect(entries[0]["status"]?.intValue == 400)
    }
  }

  @Test func aRepetitionUnderAKeyIsNotEnteredAgain() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.marketer)
      for _ in 0..<3 {
        try await harness.request(
          .post, "/api/v1/leads", ["name": "A", "emails": ["a@x.com"]], as: key, headers: ["Idempotency-Key": "k"])
      }
      #expect(try await harness.audit().count == 1)
    }
  }

  @Test func entriesAreFoundByWhoWhatAndWhen() async throws {
    try await GatewayHarness.with { harness in
      let (one, two) = (try await harness.key(.marketer, name: "One"), try await harness.key(.marketer, name: "Two"))
      for (index, key) in [one, two, one].enumerated() {
        try await harness.request(
          .post, "/api/v1/leads", ["name": "A", "emails": [.string("m\(index)@x.com")]], as: key)
      }
      try await harness.request(.post, "/api/v1/segments", ["name": "S", "rule_ast": Self.rule], as: two)
      let all = try await harness.audit()
      #expect(all.count == 4)
      let actor = try #require(all.last?["actor"]?.stringValue)
      #expect(try await harness.audit("&actor=\(actor)").count == 2)
      #expect(try await harness.audit("&resource=segment").count == 1)
      #expect(try await harness.audit("&action=createLead&outcome=succeeded").count == 3)
      let middle = try #require(all[2]["at"]?.stringValue)
      #expect(try await harness.audit("&from=\(middle)").count >= 3)
      #expect(try await harness.audit("&to=\(all[3]["at"]?.stringValue ?? "")").isEmpty)
      let admin = try await harness.key(.admin)
      let page = try await harness.request(.get, "/api/v1/audit?limit=3", as: admin)
      let cursor = try #require(page.json["pagination"]?["next_cursor"]?.stringValue)
      let rest = try await harness.request(.get, "/api/v1/audit?limit=3&cursor=\(cursor)", as: admin)
      #expect((page.data.arrayValue ?? []) + (rest.data.arrayValue ?? []) == all)
      let bad = try await harness.request(.get, "/api/v1/audit?resource=shoe&from=yesterday&who=me", as: admin)
      #expect(bad.fields == ["resource", "from", "who"])
    }
  }

  /// Replaces what the collection demands of its documents.
  private func demand(_ validator: BSONDocument, _ harness: GatewayHarness) async throws {
    try await harness.store.mongo.withConnection {
      _ = try $0.command(["collMod": .string(Collections.auditLog), "validator": .document(validator)])
    }
  }

  @Test func whatCannotBeEnteredIsNotDone() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.marketer)
      try await demand(["no_entry_has_this": ["$exists": true]], harness)
      let answer = try await harness.request(.post, "/api/v1/leads", ["name": "A", "emails": ["a@x.com"]], as: key)
      #expect(answer.status >= 500, "\(answer.text)")
      #expect(try await harness.request(.get, "/api/v1/leads", as: key).data.arrayValue?.isEmpty == true)
    }
  }

  @Test func anEntryWhoseOutcomeIsLostStaysAndIsCounted() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.marketer)
      try await demand(["outcome": "started"], harness)
      let answer = try await harness.request(.post, "/api/v1/leads", ["name": "A", "emails": ["a@x.com"]], as: key)
      #expect(answer.status == 201, "the write stands")
      #expect(try await harness.audit().map { $0["outcome"]?.stringValue } == ["started"])
      #expect(harness.gateway.context.instruments.auditIncomplete.value == 1)
    }
  }

  @Test func entriesHaveAnEndUnlessKeptForEver() async throws {
    for (days, expects) in [("30", true), ("0", false)] {
      try await GatewayHarness.with(["AUDIT_RETENTION_DAYS": days]) { harness in
        try await harness.request(
          .post, "/api/v1/leads", ["name": "A", "emails": ["a@x.com"]], as: try await harness.key(.marketer))
        let entry = try await harness.store.mongo.withConnection { try $0.findOne(Collections.auditLog, [:]) }
        #expect((entry?["expires_at"] != nil) == expects)
      }
    }
  }
}
