import HTTP
import JSON
import Testing

/// Preview, explain, evaluate, convert, duplicate: questions about a rule and its copies.
extension GatewayAPITests {
  private static func hasTag(_ tag: String) -> JSONValue {
    ["type": "condition", "field": "tags", "operator": "HAS_ANY", "value": [.string(tag)]]
  }

  private static func spent(_ op: String, _ value: Double) -> JSONValue {
    ["type": "condition", "field": "total_spend", "operator": .string(op), "value": .double(value)]
  }

  private static func ordered(_ op: String, _ count: Int64) -> JSONValue {
    ["type": "orders", "measure": "count", "operator": .string(op), "value": .int(count), "within": "7 days"]
  }

  private static func group(_ op: String, _ children: JSONValue...) -> JSONValue {
    ["op": .string(op), "children": .array(children)]
  }

  /// Twelve leads under a tag of their own; the first two spent 500, the first has two orders of the last week.
  private func makeLeads(_ tag: String) async throws {
    let rows = (0..<12).map { number -> JSONValue in
      [
        "name": .string("P\(number)"), "emails": [.string("\(tag)\(number)@x.com")], "tags": [.string(tag)],
        "total_spend": .double(number < 2 ? 500 : 5),
      ]
    }
    try await stack.succeed(.post, "/api/v1/leads/bulk", ["leads": .array(rows)])
    let orders = (0..<2).map { number -> JSONValue in
      [
        "order_no": .string("\(tag)-\(number)"), "email": .string("\(tag)0@x.com"), "items": [], "total": 10.0,
        "currency": "USD", "ordered_at": "2026-03-30T12:00:00Z",
      ]
    }
    let answer = try await stack.succeed(.post, "/api/v1/orders/bulk", ["orders": .array(orders)])
    #expect(answer.data["inserted"]?.intValue == 2, "\(answer.text)")
  }

  private static let now: JSONValue = "2026-03-31T12:00:00Z"

  @Test func aPreviewCountsShowsAndExplains() async throws {
    let tag = Self.unique("tag")
    try await makeLeads(tag)
    let answer = try await stack.succeed(.post, "/api/v1/segments/preview", ["rule_ast": Self.hasTag(tag)])
    #expect(answer.data["count"]?.intValue == 12)
    #expect(answer.data["sample"]?.arrayValue?.count == 10)
    #expect(answer.data["explanation"]?.stringValue?.contains(tag) == true)
  }

  @Test(arguments: ["preview", "explain", "evaluate"])
  func questionsAboutARuleNameEverythingThatIsWrongWithIt(endpoint: String) async throws {
    let answer = try await stack.request(
      .post, "/api/v1/segments/\(endpoint)",
      [
        "timezone": "Mars/Base", "now": "yesterday", "colour": "red", "lead_id": "0123456789abcdef01234567",
        "rule_ast": Self.group("AND", Self.spent("~", 1), ["op": "OR", "children": []]),
      ])
    let fields = [
      "timezone", "now", "colour", "rule_ast.children[0].operator", "rule_ast.children[1].children",
    ]
    expectProblem(answer, 400, "validation-failed", fields: endpoint == "evaluate" ? fields : fields + ["lead_id"])
    let unknown: JSONValue = ["type": "segment", "segment_id": "0123456789abcdef01234567"]
    let lead: [(key: String, value: JSONValue)] =
      endpoint == "evaluate" ? [("lead", ["name": "A", "emails": ["a@x.com"]])] : []
    expectProblem(
      try await stack.request(
        .post, "/api/v1/segments/\(endpoint)", .object(JSONObject([("rule_ast", unknown)] + lead))),
      422, "unknown-reference", fields: ["rule_ast.segment_id"])
  }

  @Test func anExplanationTellsWhatEachRuleContributesAndWhatItTakes() async throws {
    let tag = Self.unique("tag")
    try await makeLeads(tag)
    let rule = Self.group("AND", Self.hasTag(tag), Self.spent(">", 100), Self.ordered("=", 2))
    let data = try await stack.succeed(
      .post, "/api/v1/segments/explain", ["rule_ast": rule, "now": Self.now]
    ).data
    #expect(data["count"]?.intValue == 1, "\(data)")
    let rules = data["rules"]?.arrayValue ?? []
    #expect(rules.map { $0["path"]?.stringValue } == (0..<3).map { "rule_ast.children[\($0)]" })
    #expect(rules.map { $0["running_count"]?.intValue } == [12, 2, 1])
    #expect(rules[0]["count"]?.intValue == 12)
    #expect((rules[1]["count"]?.intValue ?? 0) >= 2 && (rules[2]["count"]?.intValue ?? 0) >= 1)
    #expect(rules.allSatisfy { $0["explanation"]?.stringValue?.isEmpty == false })
    #expect(data["filter"]?["$and"]?.arrayValue?.first?["tags"] == ["$in": [.string(tag)]])
    #expect(data["questions"]?[0]?["path"] == "rule_ast.children[2]")
    #expect(data["questions"]?[0]?["collection"] == "orders")
    #expect(data["questions"]?[0]?["plan"]?["stages"]?.arrayValue?.isEmpty == false)
    #expect(data["plan"]?["stages"]?.arrayValue?.isEmpty == false)
    #expect(data["plan"]?["documents_examined"]?.intValue != nil)
    #expect(data["explanation"]?.stringValue?.contains(tag) == true)
  }

  @Test func anExplanationShowsTheIndexAndItsBounds() async throws {
    let amount = Double.random(in: 1_000_000...2_000_000)
    let data = try await stack.succeed(
      .post, "/api/v1/segments/explain", ["rule_ast": Self.spent(">", amount)]
    ).data
    let index = try #require(data["plan"]?["indexes"]?[0])
    #expect(index["name"] == "total_spend")
    #expect(index["keys"] == ["total_spend": 1])
    #expect(index["bounds"]?["total_spend"]?[0]?.stringValue?.contains("\(amount)") == true, "\(index)")
    #expect(data["suggested_index"]?.isNull == true)
  }

  @Test func aStoredLeadIsEvaluatedWithItsOrders() async throws {
    let tag = Self.unique("tag")
    try await makeLeads(tag)
    let found = try await stack.succeed(.get, "/api/v1/leads?tag=\(tag)&sort_by=name&sort_order=asc&limit=2")
    let ids = (found.data.arrayValue ?? []).compactMap { $0["_id"] }
    let rule = Self.group("AND", Self.hasTag(tag), Self.ordered(">=", 2))
    func evaluate(_ id: JSONValue) async throws -> JSONValue {
      try await stack.succeed(
        .post, "/api/v1/segments/evaluate", ["rule_ast": rule, "now": Self.now, "lead_id": id]
      ).data
    }
    let first = try await evaluate(ids[0])
    #expect(first["matches"] == true)
    #expect(first["decided_by"]?.arrayValue?.count == 2)
    let second = try await evaluate(ids[1])
    #expect(
      second == [
        "matches": false,
        "decided_by": [
          [
            "path": "rule_ast.children[1]", "field": "orders.count", "operator": ">=", "value": 2, "actual": 0,
            "result": false,
          ]
        ],
      ])
  }

  @Test func aDescribedLeadIsCheckedLikeALeadAndHasNoOrders() async throws {
    let never: JSONValue = ["type": "campaign", "campaign_id": "any", "status": "SENT", "negate": true]
    let rule = Self.group("AND", Self.spent(">", 100), Self.ordered("<", 1), never)
    let answer = try await stack.succeed(
      .post, "/api/v1/segments/evaluate",
      ["rule_ast": rule, "lead": ["name": "Ann", "emails": ["Ann@x.com"], "total_spend": 150.5]])
    #expect(answer.data["matches"] == true)
    let actual = (answer.data["decided_by"]?.arrayValue ?? []).compactMap { $0["actual"] }
    #expect(actual == [150.5, 0, false])
    let bad = try await stack.request(
      .post, "/api/v1/segments/evaluate", ["rule_ast": rule, "lead": ["name": "", "emails": ["x"], "shoe": 1]])
    expectProblem(bad, 400, "validation-failed", fields: ["lead.name", "lead.emails[0]", "lead.shoe"])
  }

  @Test func anEvaluationNeedsOneLeadThatExists() async throws {
    let rule = Self.spent(">", 1)
    let none = try await stack.request(.post, "/api/v1/segments/evaluate", ["rule_ast": rule])
    expectProblem(none, 400, "validation-failed", fields: ["lead_id"])
    let both = try await stack.request(
      .post, "/api/v1/segments/evaluate",
      ["rule_ast": rule, "lead_id": "0123456789abcdef01234567", "lead": ["name": "A", "emails": ["a@x.com"]]])
    expectProblem(both, 400, "validation-failed", fields: ["lead"])
    let unknown = try await stack.request(
      .post, "/api/v1/segments/evaluate", ["rule_ast": rule, "lead_id": "0123456789abcdef01234567"])
    expectProblem(unknown, 422, "unknown-reference", fields: ["lead_id"])
  }

  @Test func rulesOfOtherToolsAreConverted() async throws {
    let tag = Self.unique("tag")
    let query: JSONValue = [
      "combinator": "and",
      "rules": [
        ["field": "total_spend", "operator": ">", "value": "100"],
        ["field": "tags", "operator": "in", "value": .string(tag)],
      ],
    ]
    let answer = try await stack.succeed(.post, "/api/v1/segments/convert", ["query": query])
    #expect(answer.data["explanation"]?.stringValue?.contains("100") == true)
    #expect(answer.data["notes"]?.arrayValue != nil)
    let rule = try #require(answer.data["rule_ast"])
    let preview = try await stack.succeed(.post, "/api/v1/segments/preview", ["rule_ast": rule])
    #expect(preview.data["count"]?.intValue == 0)
  }

  @Test func whatCannotBeConvertedIsRefusedByNameAndPlace() async throws {
    let query: JSONValue = [
      "combinator": "and",
      "rules": [
        ["field": "total_spend", "operator": ">", "value": 1], ["field": "shoe", "operator": "=", "value": 1],
        ["field": "visits", "operator": "resembles", "value": 1], ["combinator": "xor", "rules": [Self.spent(">", 1)]],
        ["combinator": "and", "rules": []],
        ["field": "visits", "operator": "=", "value": "total_spend", "valueSource": "field"],
      ],
    ]
    let answer = try await stack.request(
      .post, "/api/v1/segments/convert", ["query": query, "timezone": "Mars/Base", "colour": "red"])
    expectProblem(
      answer, 400, "validation-failed",
      fields: [
        "query.rules[1].field", "query.rules[2].operator", "query.rules[3].combinator", "query.rules[4].rules",
        "query.rules[5].valueSource", "timezone", "colour",
      ])
    expectProblem(
      try await stack.request(.post, "/api/v1/segments/convert", [:]), 400, "validation-failed", fields: ["query"])
  }

  @Test func aSegmentIsDuplicatedOnceUnderOneKey() async throws {
    let id = try await makeSegment()
    let headers: HTTPHeaders = ["Idempotency-Key": Self.unique("copy")]
    let copy = try await stack.succeed(.post, "/api/v1/segments/\(id)/duplicate", headers: headers)
    #expect(copy.status == 201)
    let again = try await stack.succeed(.post, "/api/v1/segments/\(id)/duplicate", headers: headers)
    #expect(again.data == copy.data)
    let original = try await stack.succeed(.get, "/api/v1/segments/\(id)").data
    #expect(copy.data["_id"] != original["_id"])
    #expect(copy.data["name"] == "Nobody (copy)")
    #expect(copy.data["rule_ast"] == original["rule_ast"])
    #expect(copy.headers["Location"] == "/api/v1/segments/\(copy.data["_id"]?.stringValue ?? "")")
    let named = try await stack.succeed(.post, "/api/v1/segments/\(id)/duplicate", ["name": "Other"])
    #expect(named.data["name"] == "Other")
    expectProblem(
      try await stack.request(.post, "/api/v1/segments/\(id)/duplicate", ["name": "", "x": 1]), 400,
      "validation-failed", fields: ["name", "x"])
    expectProblem(
      try await stack.request(.post, "/api/v1/segments/0123456789abcdef01234567/duplicate"), 404, "not-found")
  }

  /// Two hundred searches through the names of ten thousand leads take seconds; a tenth of a second is allowed.
  @Test func aRuleThatTakesTooLongIs503WithAdvice() async throws {
    let stack = try await stack
    let mail = Self.unique("slow")
    let name = JSONValue.string(String(repeating: "abcdefghij", count: 19))
    let rows = (0..<10_000).map { number -> JSONValue in
      ["name": name, "emails": [.string("\(mail)\(number)@x.com")]]
    }
    try await stack.succeed(.post, "/api/v1/leads/bulk", ["leads": .array(rows)])
    let searches = (0..<200).map { number -> JSONValue in
      ["type": "condition", "field": "name", "operator": "CONTAINS", "value": .string("j\(number)a")]
    }
    let rule: JSONValue = ["op": "OR", "children": .array(searches)]
    let hasty = try await stack.startReplica(of: "api-gateway", ["PREVIEW_TIMEOUT_MS": "100"])
    for endpoint in ["preview", "explain"] {
      let answer = try await stack.request(.post, "\(hasty)/api/v1/segments/\(endpoint)", ["rule_ast": rule])
      expectProblem(answer, 503, "rule-too-slow")
      #expect(answer.headers["Retry-After"] == "10")
      #expect(answer.json["detail"]?.stringValue?.contains("PREVIEW_TIMEOUT_MS") == true, "\(answer.text)")
    }
  }
}
