import BSON
import CRMCore
import CRMStore
import HTTP
import JSON
import Testing

@testable import APIGateway

/// Input that means to do more than it may.
@Suite(.serialized) struct HostileInputTests {
  private static let operators: [JSONValue] = [
    ["$gt": ""], ["$ne": nil], ["$regex": ".*"], ["$where": "1"], ["$in": [""]], ["$exists": true],
  ]

  private func seed(_ harness: GatewayHarness, as key: String, _ lead: JSONValue) async throws -> String {
    let made = try await harness.request(.post, "/api/v1/leads", lead, as: key)
    try #require(made.status == 201, "\(made.text)")
    return try #require(made.data["_id"]?.stringValue)
  }

  // MARK: Operators of the database

  @Test func operatorsInBodiesAreWrongTypes() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.admin)
      for value in Self.operators {
        let bodies: [(path: String, body: JSONValue, field: String)] = [
          ("/api/v1/leads", ["name": value, "emails": ["a@x.com"]], "name"),
          ("/api/v1/leads", ["name": "A", "emails": [value]], "emails[0]"),
          (
            "/api/v1/orders",
            [
              "order_no": value, "email": "a@x.com", "total": 1, "currency": "USD",
              "ordered_at": "2026-01-01T00:00:00Z",
            ], "order_no"
          ),
          (
            "/api/v1/segments",
            ["name": value, "rule_ast": ["type": "condition", "field": "visits", "operator": ">", "value": 1]], "name"
          ),
          (
            "/api/v1/segments/preview",
            ["rule_ast": ["type": "condition", "field": "visits", "operator": ">", "value": value]], "rule_ast.value"
          ),
          (
            "/api/v1/campaigns",
            ["name": "A", "segment_id": value, "message_template": "x", "channel": "sms", "created_by": "x"],
            "segment_id"
          ),
          ("/api/v1/api-keys", ["name": "A", "role": value], "role"),
          ("/api/auth/token", ["scopes": value], "scopes"),
        ]
        for (path, body, field) in bodies {
          let answer = try await harness.request(.post, path, body, as: key)
          #expect(answer.status == 400, "\(path) \(body): \(answer.text)")
          #expect(answer.fields.contains(field), "\(path) \(body): \(answer.text)")
        }
      }
    }
  }

  @Test func operatorsInQueriesAreTextOrUnknown() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.admin)
      _ = try await seed(harness, as: key, ["name": "Ann", "emails": ["ann@x.com"], "tags": ["vip"]])
      for target in ["/api/v1/leads?search[$ne]=x", "/api/v1/leads?tag[$gt]=", "/api/v1/campaigns?status[$ne]=DRAFT"] {
        #expect(try await harness.request(.get, target, as: key).status == 400, "\(target)")
      }
      for target in [
        "/api/v1/leads?search=%7B%22%24gt%22%3A%22%22%7D", "/api/v1/leads?search=.*", "/api/v1/leads?search=%24ne",
        "/api/v1/leads?tag=%7B%22%24ne%22%3Anull%7D", "/api/v1/leads?search=%28%5Ba-z%5D%2B%29%2B%24",
      ] {
        let answer = try await harness.request(.get, target, as: key)
        #expect(answer.status == 200 && answer.data.arrayValue?.isEmpty == true, "\(target): \(answer.text)")
      }
      for id in ["%7B%22%24ne%22%3A1%7D", "%24where"] {
        let answer = try await harness.request(.get, "/api/v1/leads/\(id)", as: key)
        #expect(answer.status == 400 || answer.status == 404, "\(id): \(answer.text)")
      }
      // The server refuses these while it reads the target, before there is a request.
      for id in ["..%2F..%2Fadmin", "0123456789abcdef0123456%00"] {
        await #expect(throws: HTTPServerProblem.self, "\(id)") {
          try await harness.request(.get, "/api/v1/leads/\(id)", as: key)
        }
      }
    }
  }

  @Test func operatorsInMetadataStayData() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.admin)
      let answer = try await harness.request(
        .post, "/api/v1/leads", ["name": "A", "emails": ["a@x.com"], "metadata": ["$where": "sleep(1000)", "a.b": 1]],
        as: key)
      #expect(answer.status == 400, "\(answer.text)")
      #expect(answer.fields.allSatisfy { $0.hasPrefix("metadata") } && !answer.fields.isEmpty)
    }
  }

  // MARK: Mass assignment

  @Test func nobodySetsWhatIsNotHisToSet() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.admin)
      let id = "0123456789abcdef01234567"
      let segment = try await harness.request(
        .post, "/api/v1/segments",
        ["name": "S", "rule_ast": ["type": "condition", "field": "visits", "operator": ">", "value": 1]], as: key)
      let segmentID = try #require(segment.data["_id"])
      let attempts: [(path: String, body: JSONObject, extra: [String])] = [
        (
          "/api/v1/leads", ["name": "A", "emails": ["a@x.com"]],
          ["_id", "created_at", "updated_at", "role", "__proto__", "owner", "version"]
        ),
        (
          "/api/v1/orders",
          ["order_no": "1", "email": "a@x.com", "total": 1, "currency": "USD", "ordered_at": "2026-01-01T00:00:00Z"],
          ["_id", "amount", "created_at", "applied"]
        ),
        (
          "/api/v1/segments",
          ["name": "S", "rule_ast": ["type": "condition", "field": "visits", "operator": ">", "value": 1]],
          ["_id", "preview_count", "previewed_at", "created_at", "used_at"]
        ),
        (
          "/api/v1/campaigns",
          ["name": "C", "segment_id": segmentID, "message_template": "x", "channel": "sms", "created_by": "x"],
          ["_id", "status", "stats", "current_run", "created_at", "failure", "epoch"]
        ),
        (
          "/api/v1/api-keys", ["name": "K", "role": "viewer"],
          ["_id", "key", "digest", "prefix", "created_by", "created_at", "revoked_at", "last_used_at"]
        ),
        ("/api/auth/token", [:], ["role", "sub", "exp", "scope", "admin"]),
      ]
      for (path, body, extra) in attempts {
        var body = body
        for name in extra { body[name] = .string(id) }
        let answer = try await harness.request(.post, path, .object(body), as: key)
        #expect(answer.status == 400, "\(path): \(answer.text)")
        #expect(answer.fields == Set(extra), "\(path): \(answer.text)")
      }
    }
  }

  @Test func aChangeCannotSetThemEither() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.admin)
      let rule: JSONValue = ["type": "condition", "field": "visits", "operator": ">", "value": 1]
      let segment = try await harness.request(.post, "/api/v1/segments", ["name": "S", "rule_ast": rule], as: key)
      let campaign = try await harness.request(
        .post, "/api/v1/campaigns",
        [
          "name": "C", "segment_id": segment.data["_id"] ?? .null, "message_template": "x", "channel": "sms",
          "created_by": "x",
        ], as: key)
      let answer = try await harness.request(
        .put, "/api/v1/campaigns/\(campaign.data["_id"]?.stringValue ?? "")",
        ["status": "COMPLETED", "stats": ["sent": 9], "created_by": "me", "_id": "x", "current_run": "y"], as: key)
      #expect(answer.status == 400)
      #expect(answer.fields == ["status", "stats", "created_by", "_id", "current_run"])
    }
  }

  @Test func aChangedLeadKeepsWhatIsNotTheClientsToSet() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.admin)
      let id = try await seed(harness, as: key, ["name": "Ann", "emails": ["ann@x.com"]])
      let extra = ["_id", "order_totals", "created_at", "updated_at", "role", "metadata.city", "$set", "opted_out.sms"]
      let attempts: [(HTTPMethod, JSONObject)] = [(.put, ["name": "A", "emails": ["a@x.com"]]), (.patch, [:])]
      for (method, base) in attempts {
        for value: JSONValue in ["0123456789abcdef01234567", nil, ["count": 99]] {
          var body = base
          for name in extra { body[name] = value }
          let answer = try await harness.request(method, "/api/v1/leads/\(id)", .object(body), as: key)
          #expect(answer.status == 400 && answer.fields == Set(extra), "\(answer.text)")
        }
        for value in Self.operators {
          let body: JSONValue = ["name": value, "emails": [value], "metadata": value, "last_order_at": value]
          let answer = try await harness.request(method, "/api/v1/leads/\(id)", body, as: key)
          #expect(answer.status == 400 && answer.fields.isSuperset(of: ["name", "emails[0]", "last_order_at"]))
        }
      }
      for target in [
        "lead_id[$ne]=x", "email[$gt]=", "email=%7B%22%24gt%22%3A%22%22%7D", "from[$gte]=1", "lead_id=$ne",
      ] {
        #expect(try await harness.request(.get, "/api/v1/orders?\(target)", as: key).status == 400, "\(target)")
      }
      let lead = try await harness.request(.get, "/api/v1/leads/\(id)", as: key)
      #expect(lead.data["name"] == "Ann" && lead.data["_id"]?.stringValue == id)
    }
  }

  @Test func whoTakesNoTypeOfTheAnswerIsToldSo() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.viewer)
      func status(_ path: String, _ accept: String) async throws -> GatewayHarness.Answer {
        try await harness.request(.get, path, as: key, headers: ["Accept": accept])
      }
      for accept in ["*/*", "application/json", "text/html, */*;q=0.1", "application/problem+json", "application/*"] {
        #expect(try await status("/api/v1/leads", accept).status == 200, "\(accept)")
      }
      for accept in ["text/html", "application/xml, text/*", "*/*;q=0", "application/json;q=0"] {
        let answer = try await status("/api/v1/leads", accept)
        #expect(answer.status == 406 && answer.problem == "not-acceptable", "\(accept): \(answer.text)")
        #expect(answer.headers["Content-Type"] == "application/problem+json")
      }
      let events = "/api/v1/campaigns/0123456789abcdef01234567/events"
      #expect(try await status(events, "text/event-stream").status == 404)
      #expect(try await status(events, "application/json").status == 406)
    }
  }

  @Test func makersAreWhoMadeThem() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.marketer, name: "Ana")
      let rule: JSONValue = ["type": "condition", "field": "visits", "operator": ">", "value": 1]
      let segment = try await harness.request(.post, "/api/v1/segments", ["name": "S", "rule_ast": rule], as: key)
      #expect(segment.data["owner_user_id"]?.stringValue?.hasPrefix("key:") == true, "\(segment.text)")
      let campaign = try await harness.request(
        .post, "/api/v1/campaigns",
        ["name": "C", "segment_id": segment.data["_id"] ?? .null, "message_template": "x", "channel": "sms"], as: key)
      #expect(campaign.data["created_by"]?.stringValue == "Ana", "\(campaign.text)")
    }
  }

  // MARK: Templates

  @Test func whatALeadIsCalledIsNeverReadAsTemplate() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.admin)
      let hostile = "{{ metadata.secret }}{% if name %}x{% endif %}${7*7}<%= 7 %>"
      _ = try await seed(
        harness, as: key,
        [
          "name": .string(hostile), "emails": ["t@x.com"], "phones": ["+14155550123"], "tags": ["t"],
          "metadata": ["secret": "hidden"],
        ])
      let segment = try await harness.request(
        .post, "/api/v1/segments",
        ["name": "S", "rule_ast": ["type": "condition", "field": "tags", "operator": "HAS_ANY", "value": ["t"]]],
        as: key)
      let campaign = try await harness.request(
        .post, "/api/v1/campaigns",
        [
          "name": "C", "segment_id": segment.data["_id"] ?? .null, "message_template": "Hi {{ name }}!",
          "channel": "sms",
        ], as: key)
      let preview = try await harness.request(
        .post, "/api/v1/campaigns/\(campaign.data["_id"]?.stringValue ?? "")/preview", as: key)
      #expect(preview.data[0]?["message"]?.stringValue == "Hi \(hostile)!", "\(preview.text)")
    }
  }

  @Test(arguments: [
    "{{ constructor }}", "{{ name.constructor }}", "{% include 'x' %}", "{% assign a = 1 %}", "{{ 7 | times: 7 }}",
    "{% for i in (1..1000000000) %}{% endfor %}", "{{ metadata['x'] }}", "{{ _id }}", "{{ opted_out }}", "{{{{",
    "{% raw %}",
  ])
  func templatesThatReachFurtherDoNotParse(template: String) async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.admin)
      let answer = try await harness.request(
        .post, "/api/v1/campaigns",
        [
          "name": "C", "segment_id": "0123456789abcdef01234567", "message_template": .string(template),
          "channel": "sms",
        ], as: key)
      #expect(answer.status == 400 && answer.fields == ["message_template"], "\(template): \(answer.text)")
    }
  }

  // MARK: Idempotency keys of others

  @Test func nobodyGetsAnAnswerThatWasGivenToSomebodyElse() async throws {
    try await GatewayHarness.with { harness in
      let (one, two) = (try await harness.key(.marketer), try await harness.key(.marketer))
      let body: JSONValue = ["name": "A", "emails": ["a@x.com"]]
      let headers: HTTPHeaders = ["Idempotency-Key": "k-1"]
      let first = try await harness.request(.post, "/api/v1/leads", body, as: one, headers: headers)
      #expect(first.status == 201)
      let again = try await harness.request(.post, "/api/v1/leads", body, as: one, headers: headers)
      #expect(again.headers["Idempotency-Replayed"] == "true")
      let other = try await harness.request(.post, "/api/v1/leads", body, as: two, headers: headers)
      #expect(other.status == 409 && other.headers["Idempotency-Replayed"] == nil, "\(other.text)")
    }
  }

  // MARK: Secrets

  @Test func anAPIKeyIsMadeOnceAndItsKeptAnswerTellsNobodyTheKey() async throws {
    try await GatewayHarness.with { harness in
      let admin = try await harness.key(.admin)
      let body: JSONValue = ["name": "Shop", "role": "viewer"]
      let headers: HTTPHeaders = ["Idempotency-Key": "0b7c3c7e-5a0e-4a49-9a54-7d2b1d1a9f10"]
      func make(_ body: JSONValue) async throws -> GatewayHarness.Answer {
        try await harness.request(.post, "/api/v1/api-keys", body, as: admin, headers: headers)
      }
      func made() async throws -> Int {
        try await harness.store.mongo.withConnection { try $0.count(Collections.apiKeys, ["name": "Shop"]) }
      }
      let first = try await make(body)
      let secret = try #require(first.data["key"]?.stringValue, "\(first.text)")
      let again = try await make(body)
      #expect(again.status == 201 && again.headers["Idempotency-Replayed"] == "true" && again.bytes == first.bytes)
      #expect(try await made() == 1)
      let other = try await make(["name": "Shop", "role": "admin"])
      #expect(other.status == 422 && other.problem == "idempotency-mismatch", "\(other.text)")

      // Nothing that is stored has the key, or what the answer is sealed by.
      let kept = try await harness.store.mongo.withConnection { connection in
        var bytes: [UInt8] = []
        for collection in [Collections.idempotencyKeys, Collections.apiKeys, Collections.auditLog] {
          try connection.find(collection, [:]) { document in
            bytes += document.bytes
            return .more
          }
        }
        return String(decoding: bytes, as: UTF8.self)
      }
      #expect(kept.contains(secret.prefix(13)), "the prefix is no secret")
      #expect(!kept.contains(secret.dropFirst(13)) && !kept.contains("0b7c3c7e-5a0e"))

      // The gateway died after it had stored the key: nobody has got its secret.
      try await harness.store.mongo.withConnection { connection in
        _ = try connection.updateMany(
          Collections.idempotencyKeys, [:],
          ["$unset": ["response": ""], "$set": ["lease_until": .date(milliseconds: 0)]])
      }
      let renewed = try await make(body)
      let newSecret = try #require(renewed.data["key"]?.stringValue, "\(renewed.text)")
      #expect(renewed.status == 201 && newSecret != secret)
      for member in ["_id", "created_at", "created_by", "role"] {
        #expect(renewed.data[member] == first.data[member], "\(member)")
      }
      #expect(try await made() == 1)
      #expect(try await harness.request(.get, "/api/auth/me", as: secret).status == 401)
      #expect(try await make(body).bytes == renewed.bytes)

      // A key that is in use is not renewed, whatever was forgotten; nor is one that is revoked.
      #expect(try await harness.request(.get, "/api/auth/me", as: newSecret).status == 200)
      try await harness.store.mongo.withConnection { connection in
        _ = try connection.updateMany(
          Collections.idempotencyKeys, [:],
          ["$unset": ["response": ""], "$set": ["lease_until": .date(milliseconds: 0)]])
      }
      #expect(try await make(body).status == 409)
      #expect(try await make(body).status == 409, "the idempotency key is not free for another request")
      #expect(try await harness.request(.get, "/api/auth/me", as: newSecret).status == 200)
      #expect(try await made() == 1)
    }
  }

  // MARK: Limits

  @Test func aCredentialAndAnAddressHaveTheirLimits() async throws {
    try await GatewayHarness.with(["API_RATE_PER_MINUTE": "3", "API_RATE_PER_ADDRESS": "10"]) { harness in
      let (one, two) = (try await harness.key(.viewer), try await harness.key(.viewer))
      for left in [2, 1, 0] {
        let answer = try await harness.request(.get, "/api/auth/me", as: one)
        #expect(answer.status == 200 && answer.headers["RateLimit-Limit"] == "3")
        #expect(answer.headers["RateLimit-Remaining"] == String(left))
      }
      let refused = try await harness.request(.get, "/api/auth/me", as: one)
      #expect(refused.status == 429 && refused.problem == "too-many-requests", "\(refused.text)")
      let wait = refused.headers["Retry-After"].flatMap { Int($0) }
      #expect(wait.map { (1...20).contains($0) } == true && refused.headers["RateLimit-Remaining"] == "0")
      #expect(try await harness.request(.get, "/api/auth/me", as: two).status == 200, "another key is not concerned")

      for _ in 0..<5 { #expect(try await harness.request(.get, "/api/auth/me", as: nil).status == 401) }
      let flooded = try await harness.request(.get, "/api/auth/me", as: two)
      #expect(flooded.status == 429 && flooded.headers["RateLimit-Limit"] == "10", "guesses count for the address")
      #expect(try await harness.request(.get, "/api/auth/me", as: two, from: "192.0.2.77").status == 200)
      #expect(try await harness.receipt().status == 202, "webhooks have a limit of their own")
    }
  }
}
