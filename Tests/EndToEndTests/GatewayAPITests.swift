import CRMMessaging
import Foundation
import HTTP
import JSON
import Testing

/// The gateway's REST contract over a running stack, which all tests of the suite share.
@Suite(.serialized) struct GatewayAPITests {
  private static let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
  private static let stack = Task { try await TestStack.start(.embedded, ["RECEIPT_WEBHOOK_SECRET": secret]) }

  var stack: TestStack { get async throws { try await Self.stack.value } }

  /// Text that no other test uses.
  static func unique(_ prefix: String) -> String { "\(prefix)\(UInt64.random(in: 0...UInt64.max))" }

  func expectProblem(
    _ answer: TestStack.Answer, _ status: Int, _ type: String, fields: [String]? = nil,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(answer.status == status, "\(answer.text)", sourceLocation: sourceLocation)
    #expect(answer.headers["Content-Type"] == "application/problem+json", sourceLocation: sourceLocation)
    #expect(
      answer.json["type"]?.stringValue?.hasSuffix("/\(type)") == true, "\(answer.text)", sourceLocation: sourceLocation)
    #expect(answer.json["success"]?.boolValue == false, sourceLocation: sourceLocation)
    #expect(answer.json["status"]?.intValue == Int64(status), sourceLocation: sourceLocation)
    #expect(answer.json["request_id"]?.stringValue == answer.headers["X-Request-Id"], sourceLocation: sourceLocation)
    if let fields {
      let named = (answer.json["errors"]?.arrayValue ?? []).compactMap { $0["field"]?.stringValue }
      #expect(Set(named) == Set(fields), sourceLocation: sourceLocation)
    }
  }

  private func send(
    _ method: HTTPMethod, _ path: String, text: String, headers: HTTPHeaders = ["Content-Type": "application/json"]
  ) async throws -> TestStack.Answer {
    let stack = try await stack
    let response = try await stack.client.execute(
      HTTPClientRequest(method, stack.baseURL + path, headers: headers, body: Array(text.utf8)))
    return stack.conforming(
      TestStack.Answer(status: response.status, headers: response.headers, body: response.body), method, path)
  }

  func makeSegment() async throws -> String {
    let rule: JSONValue = [
      "type": "condition", "field": "tags", "operator": "HAS_ANY", "value": [.string(Self.unique("t"))],
    ]
    let answer = try await stack.succeed(.post, "/api/v1/segments", ["name": "Nobody", "rule_ast": rule])
    return try #require(answer.data["_id"]?.stringValue)
  }

  private func makeCampaign(segment: String, _ added: [(key: String, value: JSONValue)] = []) async throws -> String {
    var body: JSONObject = [
      "name": "Spring", "segment_id": .string(segment), "message_template": "Hi {{ name }}", "channel": "whatsapp",
      "created_by": "tests",
    ]
    body.entries += added
    let answer = try await stack.succeed(.post, "/api/v1/campaigns", .object(body))
    return try #require(answer.data["_id"]?.stringValue)
  }

  // MARK: Bad input

  @Test func everyBadFieldIsNamed() async throws {
    let answer = try await stack.request(
      .post, "/api/v1/leads", ["name": "", "emails": ["bad"], "visits": -1, "bogus": 1])
    expectProblem(answer, 400, "validation-failed", fields: ["name", "emails[0]", "visits", "bogus"])
  }

  @Test(arguments: [
    #"{"name":"#, "", "[1,2", #"{"a":1,"a":2}"#, String(repeating: "[", count: 65) + String(repeating: "]", count: 65),
    "{\"name\":\"\u{1}\"}", "nul", #"{"name": 1e999}"#,
  ])
  func whatIsNoJSONIs400(text: String) async throws {
    expectProblem(try await send(.post, "/api/v1/leads", text: text), 400, "malformed-request")
  }

  @Test(arguments: ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", nil])
  func anotherContentTypeIs415(type: String?) async throws {
    var headers = HTTPHeaders()
    if let type { headers["Content-Type"] = type }
    let answer = try await send(.post, "/api/v1/leads", text: #"{"name":"A","emails":["a@x.com"]}"#, headers: headers)
    expectProblem(answer, 415, "unsupported-media-type")
  }

  @Test func unknownPathsAndMethodsAreProblemsToo() async throws {
    expectProblem(try await stack.request(.get, "/api/v1/nothing"), 404, "not-found")
    let answer = try await stack.request(.delete, "/api/v1/leads")
    expectProblem(answer, 405, "method-not-allowed")
    #expect(answer.headers["Allow"]?.contains("POST") == true)
  }

  @Test func largeBodiesAre413ButForBulk() async throws {
    let padding = String(repeating: " ", count: 1 << 20)
    expectProblem(try await send(.post, "/api/v1/leads", text: "{}" + padding), 413, "body-too-large")
    let answer = try await send(.post, "/api/v1/leads/bulk", text: #"{"leads":1}"# + padding)
    expectProblem(answer, 400, "validation-failed", fields: ["leads"])
  }

  @Test func badQueryParametersAreAllNamed() async throws {
    let answer = try await stack.request(
      .get, "/api/v1/leads?limit=500&page=x&sort_by=shoe&foo=1&min_spend=nan&segment_id=7")
    expectProblem(
      answer, 400, "validation-failed", fields: ["limit", "page", "sort_by", "foo", "min_spend", "segment_id"])
    expectProblem(
      try await stack.request(.get, "/api/v1/leads?cursor=AAAA"), 400, "validation-failed", fields: ["cursor"])
  }

  @Test func idsOfAnotherShapeAre400AndUnknownOnes404() async throws {
    for path in ["leads", "orders", "segments", "campaigns", "jobs"] {
      expectProblem(try await stack.request(.get, "/api/v1/\(path)/7"), 400, "validation-failed", fields: ["id"])
      expectProblem(try await stack.request(.get, "/api/v1/\(path)/0123456789abcdef01234567"), 404, "not-found")
    }
  }

  // MARK: Leads and orders

  @Test func aBulkStoresTheGoodRowsAndTellsAboutTheBad() async throws {
    let mail = Self.unique("bulk")
    let answer = try await stack.succeed(
      .post, "/api/v1/leads/bulk",
      [
        "leads": [
          ["name": "A", "emails": [.string("\(mail)a@x.com")]], ["name": "B", "emails": [.string("\(mail)b@x.com")]],
          ["name": 7], ["name": "A2", "emails": [.string("\(mail)a@x.com")]],
          ["name": "AB", "emails": [.string("\(mail)a@x.com"), .string("\(mail)b@x.com")]],
        ]
      ])
    #expect(answer.data["accepted"]?.intValue == 3)
    #expect(answer.data["inserted"]?.intValue == 2)
    #expect(answer.data["modified"]?.intValue == 1)
    #expect(answer.data["matched"]?.intValue == 1)
    let rejected = answer.data["rejected"]?.arrayValue ?? []
    #expect(rejected.map { $0["index"]?.intValue } == [2, 4])
    #expect(rejected.first?["errors"]?[0]?["field"]?.stringValue == "leads[2].name")
    let job = try await stack.succeed(.get, "/api/v1/jobs/\(answer.data["jobId"]?.stringValue ?? "")")
    #expect(job.data["state"]?.stringValue == "completed")
    #expect(job.data["rejected"]?.intValue == 2)
    #expect(job.data["errors"]?.arrayValue?.isEmpty == false)
  }

  @Test func anAsynchronousBulkIsStoredByTheIngestWorker() async throws {
    let stack = try await stack
    let mail = Self.unique("async")
    let rows = (0..<50).map { JSONValue.object(["name": "Row", "emails": [.string("\(mail)\($0)@x.com")]]) }
    let answer = try await stack.request(
      .post, "/api/v1/leads/bulk?mode=async", ["leads": .array(rows + [["name": 7]])])
    #expect(answer.status == 202)
    let id = try #require(answer.data["jobId"]?.stringValue)
    try await until("the job is completed") {
      try await stack.succeed(.get, "/api/v1/jobs/\(id)").data["state"]?.stringValue == "completed"
    }
    let job = try await stack.succeed(.get, "/api/v1/jobs/\(id)").data
    #expect(job["inserted"]?.intValue == 50)
    #expect(job["rejected"]?.intValue == 1)
    let found = try await stack.succeed(.get, "/api/v1/leads?search=\(mail)")
    #expect(found.json["pagination"]?["total"]?.intValue == 50)
  }

  @Test func aLeadIsCreatedOnceAndFound() async throws {
    let mail = Self.unique("one") + "@x.com"
    let body: JSONValue = ["name": "Ann", "emails": [.string(mail.uppercased())], "metadata": ["city": "Oslo"]]
    let created = try await stack.request(.post, "/api/v1/leads", body)
    #expect(created.status == 201)
    expectProblem(try await stack.request(.post, "/api/v1/leads", body), 409, "conflict")
    let shown = try await stack.succeed(.get, try #require(created.headers["Location"]))
    #expect(shown.data == created.data)
    #expect(shown.data["emails"]?[0]?.stringValue == mail)
  }

  @Test func ordersMoveTheirLeadsTotals() async throws {
    let mail = Self.unique("buyer") + "@x.com"
    let number = Self.unique("no")
    let lead = try await stack.succeed(.post, "/api/v1/leads", ["name": "Ann", "emails": [.string(mail)]])
    func order(_ total: Double, _ email: String = mail) -> JSONValue {
      [
        "order_no": .string(number), "email": .string(email), "total": .double(total), "currency": "USD",
        "ordered_at": "2026-01-02T03:04:05Z",
      ]
    }
    #expect(try await stack.request(.post, "/api/v1/orders", order(10)).status == 201)
    #expect(try await stack.request(.post, "/api/v1/orders", order(10)).status == 200)
    #expect(try await stack.request(.post, "/api/v1/orders", order(12.5)).status == 200)
    let shown = try await stack.succeed(.get, "/api/v1/leads/\(lead.data["_id"]?.stringValue ?? "")").data
    #expect(shown["total_spend"]?.doubleValue == 12.5)
    #expect(shown["visits"]?.intValue == 1)
    #expect(shown["last_order_at"]?.stringValue == "2026-01-02T03:04:05.000Z")
    expectProblem(
      try await stack.request(.post, "/api/v1/orders", order(1, Self.unique("n") + "@x.com")), 422, "unknown-reference",
      fields: ["email"])
    let other = Self.unique("other") + "@x.com"
    try await stack.succeed(.post, "/api/v1/leads", ["name": "Bo", "emails": [.string(other)]])
    expectProblem(try await stack.request(.post, "/api/v1/orders", order(1, other)), 409, "conflict")
  }

  // MARK: Idempotency

  @Test func aKeyMakesARepetitionHarmlessAndAnotherBodyAnError() async throws {
    let key = Self.unique("key")
    let body: JSONValue = ["name": "Ann", "emails": [.string(Self.unique("idem") + "@x.com")]]
    let first = try await stack.request(.post, "/api/v1/leads", body, headers: ["Idempotency-Key": key])
    let second = try await stack.request(.post, "/api/v1/leads", body, headers: ["Idempotency-Key": key])
    #expect(first.status == 201 && second.status == 201)
    #expect(first.body == second.body)
    #expect(second.headers["Idempotency-Replayed"] == "true")
    let other: JSONValue = ["name": "Bo", "emails": [.string(Self.unique("idem") + "@x.com")]]
    expectProblem(
      try await stack.request(.post, "/api/v1/leads", other, headers: ["Idempotency-Key": key]), 422,
      "idempotency-mismatch")
  }

  @Test func ofManyRequestsWithOneKeyOneMakesALead() async throws {
    let stack = try await stack
    let key = Self.unique("key")
    let body: JSONValue = ["name": "Ann", "emails": [.string(Self.unique("race") + "@x.com")]]
    let ids = try await withThrowingTaskGroup(of: String?.self) { group in
      for _ in 0..<12 {
        group.addTask {
          try await stack.succeed(.post, "/api/v1/leads", body, headers: ["Idempotency-Key": key]).data["_id"]?
            .stringValue
        }
      }
      return try await group.reduce(into: Set<String?>()) { $0.insert($1) }
    }
    #expect(ids.count == 1 && ids.first != .some(nil))
  }

  @Test func launchingTwiceWithOneKeyStartsOneRun() async throws {
    let campaign = try await makeCampaign(segment: makeSegment())
    let key = Self.unique("key")
    let first = try await stack.request(.post, "/api/v1/campaigns/\(campaign)/run", headers: ["Idempotency-Key": key])
    let second = try await stack.request(.post, "/api/v1/campaigns/\(campaign)/run", headers: ["Idempotency-Key": key])
    #expect(first.status == 202 && second.status == 202)
    #expect(first.json == second.json)
    #expect(first.json["totalLeads"]?.intValue == 0)
    #expect(first.json["runId"]?.stringValue?.isEmpty == false)
    #expect(first.json["message"]?.stringValue?.contains("triggered successfully") == true)
  }

  // MARK: Segments and campaigns

  @Test func aSegmentsRuleIsCheckedWholly() async throws {
    let answer = try await stack.request(
      .post, "/api/v1/segments",
      [
        "name": "X", "timezone": "Mars/Base",
        "rule_ast": ["op": "AND", "children": [["type": "condition", "field": "shoe", "operator": "=", "value": 1]]],
      ])
    expectProblem(answer, 400, "validation-failed", fields: ["timezone", "rule_ast.children[0].field"])
  }

  @Test func aSegmentThatNamesItselfIsRefused() async throws {
    let id = try await makeSegment()
    let answer = try await stack.request(
      .put, "/api/v1/segments/\(id)", ["name": "Loop", "rule_ast": ["type": "segment", "segment_id": .string(id)]])
    expectProblem(answer, 422, "impossible-rule", fields: ["rule_ast.segment.segment_id"])
    #expect(answer.json["errors"]?[0]?["code"]?.stringValue == "cycle", "\(answer.text)")
  }

  @Test func aUsedSegmentIsNotDeleted() async throws {
    let segment = try await makeSegment()
    let campaign = try await makeCampaign(segment: segment)
    expectProblem(try await stack.request(.delete, "/api/v1/segments/\(segment)"), 409, "conflict")
    try await stack.succeed(.delete, "/api/v1/campaigns/\(campaign)")
    try await stack.succeed(.delete, "/api/v1/segments/\(segment)")
  }

  @Test func aCampaignIsCheckedWholly() async throws {
    let answer = try await stack.request(
      .post, "/api/v1/campaigns",
      ["name": "X", "segment_id": "7", "message_template": "Hi {{ nme }}", "channel": "fax", "created_by": "me"])
    expectProblem(answer, 400, "validation-failed", fields: ["segment_id", "message_template", "channel"])
    let unknown = try await stack.request(
      .post, "/api/v1/campaigns",
      [
        "name": "X", "segment_id": "0123456789abcdef01234567", "message_template": "Hi", "channel": "sms",
        "created_by": "me",
      ])
    expectProblem(unknown, 422, "unknown-reference", fields: ["segment_id"])
  }

  @Test func aScheduleInThePastIsImpossible() async throws {
    let segment = try await makeSegment()
    let answer = try await stack.request(
      .post, "/api/v1/campaigns",
      [
        "name": "X", "segment_id": .string(segment), "message_template": "Hi", "channel": "sms", "created_by": "me",
        "schedule_at": "2020-01-01T00:00:00Z",
      ])
    expectProblem(answer, 422, "impossible-schedule", fields: ["schedule_at"])
    let both = try await stack.request(
      .post, "/api/v1/campaigns",
      [
        "name": "X", "segment_id": "0123456789abcdef01234567", "message_template": "Hi", "channel": "sms",
        "created_by": "me", "schedule_at": "2020-01-01T00:00:00Z",
      ])
    expectProblem(both, 422, "impossible-schedule", fields: ["schedule_at", "segment_id"])
    let id = try await makeCampaign(segment: segment, [("schedule_at", "2999-01-01T00:00:00Z")])
    #expect(try await stack.succeed(.get, "/api/v1/campaigns/\(id)").data["status"]?.stringValue == "SCHEDULED")
    expectProblem(try await stack.request(.put, "/api/v1/campaigns/\(id)", ["name": "Y"]), 409, "conflict")
    try await stack.succeed(.post, "/api/v1/campaigns/\(id)/cancel")
  }

  @Test func onlyLegalChangesOfStatusAreMade() async throws {
    let id = try await makeCampaign(segment: makeSegment())
    let answer = try await stack.request(.post, "/api/v1/campaigns/\(id)/pause")
    expectProblem(answer, 409, "conflict")
    #expect(answer.json["current_status"]?.stringValue == "DRAFT")
    for status in ["COMPLETED", "FAILED", "DRAFT"] {
      let change = try await stack.request(.put, "/api/v1/campaigns/\(id)/status", ["status": .string(status)])
      #expect(change.status == (status == "DRAFT" ? 200 : 409), "\(change.text)")
    }
    let unknown = try await stack.request(.put, "/api/v1/campaigns/\(id)/status", ["status": "ASLEEP"])
    expectProblem(unknown, 400, "validation-failed", fields: ["status"])
  }

  @Test func anEmptyCampaignCompletesAndRunsAgainOnlyWhenAskedTo() async throws {
    let stack = try await stack
    let id = try await makeCampaign(segment: makeSegment(), [("send", true)])
    try await until("the campaign is completed") {
      try await stack.succeed(.get, "/api/v1/campaigns/\(id)").data["status"]?.stringValue == "COMPLETED"
    }
    let refused = try await stack.request(.post, "/api/v1/campaigns/\(id)/run")
    expectProblem(refused, 409, "conflict")
    #expect(refused.json["current_status"]?.stringValue == "COMPLETED")
    let again = try await stack.request(.post, "/api/v1/campaigns/\(id)/run", ["rerun": true])
    #expect(again.status == 202)
    #expect(again.json["runId"] != refused.json["runId"])
  }

  @Test func aCampaignsPreviewRendersOrSaysWhyNot() async throws {
    let tag = Self.unique("tag")
    let segment = try await stack.succeed(
      .post, "/api/v1/segments",
      [
        "name": "S",
        "rule_ast": ["type": "condition", "field": "tags", "operator": "HAS_ANY", "value": [.string(tag)]],
      ])
    try await stack.succeed(
      .post, "/api/v1/leads/bulk",
      [
        "leads": [
          [
            "name": "Ann", "emails": [.string("\(tag)a@x.com")], "phones": ["+14155550123"], "tags": [.string(tag)],
          ], ["name": "Bo", "emails": [.string("\(tag)b@x.com")], "tags": [.string(tag)]],
        ]
      ])
    let id = try await makeCampaign(segment: try #require(segment.data["_id"]?.stringValue))
    let messages = try await stack.succeed(.post, "/api/v1/campaigns/\(id)/preview").data.arrayValue ?? []
    #expect(messages.compactMap { $0["message"]?.stringValue } == ["Hi Ann"])
    #expect(messages.compactMap { $0["skipped"]?.stringValue } == ["no address for whatsapp"])
  }

  // MARK: Receipts

  private func receipt(
    _ body: JSONValue, id: String = "msg_1", age: Int64 = 0, secret: String = secret, tampered: Bool = false
  ) async throws -> TestStack.Answer {
    let seconds = Int64(Date().timeIntervalSince1970) - age
    let bytes = body.encoded()
    let signature = try StandardWebhook(secrets: [secret]).sign(id: id, timestamp: seconds, body: bytes)
    return try await send(
      .post, "/api/v1/delivery/receipt", text: String(decoding: bytes, as: UTF8.self) + (tampered ? " " : ""),
      headers: [
        "Content-Type": "application/json", "webhook-id": id, "webhook-timestamp": String(seconds),
        "webhook-signature": signature,
      ])
  }

  private static let good: JSONValue = [
    "send_id": "11111111-2222-5333-8444-555555555555", "vendor": "vendor-sim", "vendor_message_id": "m",
    "status": "DELIVERED", "timestamp": "2026-01-02T03:04:05Z",
  ]

  @Test func signedReceiptsAreTaken() async throws {
    #expect(try await receipt(Self.good).status == 202)
    let many = try await receipt([Self.good, Self.good, Self.good])
    #expect(many.status == 202)
    #expect(many.data["accepted"]?.intValue == 3)
  }

  @Test func forgedStaleAndUnsignedReceiptsAreRefused() async throws {
    let other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
    expectProblem(try await receipt(Self.good, secret: other), 401, "invalid-signature")
    expectProblem(try await receipt(Self.good, tampered: true), 401, "invalid-signature")
    expectProblem(try await receipt(Self.good, age: 400), 401, "invalid-signature")
    expectProblem(try await receipt(Self.good, age: -400), 401, "invalid-signature")
    expectProblem(try await stack.request(.post, "/api/v1/delivery/receipt", Self.good), 401, "invalid-signature")
  }

  @Test func receiptsOfAnotherShapeAreNamedFieldByField() async throws {
    let bad: JSONValue = ["send_id": "x", "vendor": "v", "vendor_message_id": "m", "status": "EATEN", "more": 1]
    expectProblem(
      try await receipt([Self.good, bad]), 400, "validation-failed",
      fields: ["[1].send_id", "[1].status", "[1].timestamp", "[1].more"])
    expectProblem(try await receipt([]), 400, "validation-failed", fields: ["body"])
  }

  // MARK: Headers and operations

  @Test func browsersOfAllowedOriginsMayCall() async throws {
    let preflight = try await stack.request(
      .options, "/api/v1/leads",
      headers: ["Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"])
    #expect(preflight.status == 204)
    #expect(preflight.headers["Access-Control-Allow-Origin"] == "http://localhost:3000")
    #expect(preflight.headers["Access-Control-Allow-Methods"]?.contains("POST") == true)
    let foreign = try await stack.request(.get, "/api/v1/leads", headers: ["Origin": "http://evil.example"])
    #expect(foreign.headers["Access-Control-Allow-Origin"] == nil)
    #expect(foreign.headers["Vary"] == "Origin")
    #expect(foreign.headers["X-Content-Type-Options"] == "nosniff")
  }

  @Test func requestIDsComeBackAndStatusTellsTheLag() async throws {
    let answer = try await stack.succeed(.get, "/api/v1/status", headers: ["X-Request-Id": "abc-123"])
    #expect(answer.headers["X-Request-Id"] == "abc-123")
    #expect(answer.data["service"]?.stringValue == "api-gateway")
    #expect(answer.data["consumer_lag"]?["campaign.jobs"]?["group"]?.stringValue?.hasSuffix("job-expander") == true)
    #expect(try await stack.succeed(.get, "/api/v1/delivery/status").data["accepting"]?.boolValue == true)
    let metrics = try await stack.succeed(.get, "/metrics").text
    #expect(metrics.contains(#"minicrm_http_requests_total{method="GET",route="/api/v1/status",status="200"}"#))
  }
}
