import CRMCore
import JSON
import Testing

@Suite struct RulesDecodingTests {
  @Test func everyProblemIsListedWithItsPath() {
    let rule = group(
      "AND", condition("total_spend", ">", "35"), condition("salary", "=", 1), condition("name", "LIKE", "x"),
      group("OR", condition("visits", "BETWEEN", [5]), condition("tags", "IN", ["a", 7, nil])),
      ["type": "condition", "field": "name", "operator": "=", "valeu": "x"])
    #expect(
      problems(rule) == [
        "rule_ast.children[0].value: invalid_type", "rule_ast.children[1].field: invalid_field",
        "rule_ast.children[2].operator: unknown_operator", "rule_ast.children[3].children[0].value: invalid_type",
        "rule_ast.children[3].children[1].value[1]: invalid_type",
        "rule_ast.children[3].children[1].value[2]: invalid_type", "rule_ast.children[4].valeu: unknown_field",
        "rule_ast.children[4].value: required",
      ])
  }

  @Test func aProblemSaysWhatWasExpectedAndWhatCame() throws {
    let problem = try #require(errors(group("AND", condition("total_spend", ">", "35"))).first)
    #expect(problem.description == #"rule_ast.children[0].value: expected a number, got "35""#)
    #expect(fieldError(problem).message == #"expected a number, got "35""#)
  }

  @Test func thePathStartsWhereTheCallerSays() {
    #expect(throws: RuleError.self) { try Rule.decode("x", path: "leads[3].rule") }
    do {
      _ = try Rule.decode("x", path: "segment.rule")
    } catch {
      #expect(error.fieldErrors.map(\.field) == ["segment.rule"])
    }
  }

  @Test(
    arguments: [
      ([], "rule_ast: invalid_type"), (nil, "rule_ast: invalid_type"), ("AND", "rule_ast: invalid_type"),
      ([:], "rule_ast: required"), (["op": "AND"], "rule_ast.children: required"),
      (["op": "AND", "children": []], "rule_ast.children: too_few"),
      (["op": "OR", "children": []], "rule_ast.children: too_few"),
      (["op": "NOT", "children": []], "rule_ast.children: too_few"),
      (["op": "and", "children": [condition("visits", ">", 1)]], "rule_ast.op: unknown_operator"),
      (["op": nil, "children": [condition("visits", ">", 1)]], "rule_ast.op: unknown_operator"),
      (["op": "XOR", "children": [condition("visits", ">", 1)]], "rule_ast.op: unknown_operator"),
      (["op": "AND", "children": ["a": 1]], "rule_ast.children: invalid_type"),
      (
        ["op": "NOT", "children": [condition("visits", ">", 1), condition("visits", "<", 9)]],
        "rule_ast.children: too_many"
      ),
      (["op": "AND", "children": [condition("visits", ">", 1)], "type": "group"], "rule_ast.type: unknown_field"),
      (["type": "condition"], "rule_ast.field: required,rule_ast.operator: required,rule_ast.value: required"),
      (["type": "rule", "field": "name", "operator": "=", "value": "x"], "rule_ast.type: invalid_value"),
      (["field": "name", "operator": "=", "value": "x"], "rule_ast: required"),
    ] as [(JSONValue, String)])
  func brokenStructureIsRefused(rule: JSONValue, expected: String) {
    #expect(problems(rule).joined(separator: ",") == expected)
  }

  @Test(arguments: [
    "", "Name", "_id", "email", "$where", "metadata", "metadata.", "metadata..x", "metadata.x.", "metadata.0",
    "metadata.a.0.b", "metadata.$gt", "metadata.a b", "metadata.a.b.c.d.e.f", "metadata.\u{E9}", "metadata.a\0",
    "opted_out", "opted_out.fax", "name.x", "tags.0", "__proto__", "total", "ordered_at", "items.sku",
  ])
  func fieldsAreFromAList(name: String) {
    #expect(problems(condition(name, "EXISTS", true)) == ["rule_ast.field: invalid_field"])
  }

  @Test(arguments: [
    "name", "emails", "phones", "tags", "total_spend", "visits", "last_order_at", "created_at", "updated_at",
    "opted_out.whatsapp", "opted_out.sms", "opted_out.email", "metadata.city", "metadata.a.b.c.d.e", "metadata.A-1_z",
    "metadata.0x",
  ])
  func everyFieldCanBeAskedFor(name: String) {
    #expect(problems(condition(name, "EXISTS", true)).isEmpty)
  }

  @Test(arguments: [
    ("name", "= != IN NOT_IN CONTAINS NOT_CONTAINS STARTS_WITH ENDS_WITH EXISTS IS_EMPTY"),
    ("emails", "= != IN NOT_IN CONTAINS NOT_CONTAINS STARTS_WITH ENDS_WITH EXISTS IS_EMPTY"),
    ("tags", "= != IN NOT_IN CONTAINS NOT_CONTAINS HAS_ANY HAS_ALL HAS_NONE EXISTS IS_EMPTY"),
    ("total_spend", "= != > < >= <= IN NOT_IN BETWEEN EXISTS IS_EMPTY"),
    ("created_at", "= != > < >= <= IN NOT_IN BETWEEN EXISTS IS_EMPTY WITHIN_LAST WITHIN_NEXT"),
    (
      "metadata.x",
      "= != > < >= <= IN NOT_IN BETWEEN CONTAINS NOT_CONTAINS STARTS_WITH ENDS_WITH EXISTS IS_EMPTY"
    ),
  ])
  func aFieldTakesTheOperatorsOfItsKind(field: String, operators: String) {
    let allowed = Set(operators.split(separator: " ").map(String.init))
    for op in RuleOperator.allCases.map(\.rawValue) {
      let refused = errors(condition(field, op, nil)).contains { $0.code == .operatorNotAllowed }
      #expect(refused == !allowed.contains(op), "\(field) \(op)")
    }
  }

  @Test(arguments: [
    condition("total_spend", "=", true), condition("total_spend", ">", "1"), condition("total_spend", ">", nil),
    condition("total_spend", "=", .double(.nan)), condition("visits", "<", .double(.infinity)),
    condition("visits", "=", ["$gt": 0]), condition("name", "=", 1), condition("name", "=", ["$gt": ""]),
    condition("name", "=", ["x"]), condition("tags", "IN", "vip"), condition("tags", "IN", [:]),
    condition("emails", "CONTAINS", 5), condition("visits", "BETWEEN", 5), condition("visits", "BETWEEN", [1, 2, 3]),
    condition("visits", "BETWEEN", [nil, 3]), condition("name", "EXISTS", "true"), condition("name", "IS_EMPTY", 1),
    condition("created_at", "=", 1_700_000_000), condition("created_at", "WITHIN_LAST", 30),
    condition("metadata.x", ">", true), condition("metadata.x", "BETWEEN", [1, "2"]),
    condition("metadata.x", "BETWEEN", [true, false]), condition("metadata.x", "=", [1]),
    condition("metadata.x", "IN", [nil]), condition("name", "IN", [nil]), condition("metadata.x", "=", ["a": 1]),
  ])
  func valuesAreNotCoerced(rule: JSONValue) {
    #expect(!errors(rule).isEmpty)
    #expect(errors(rule).allSatisfy { $0.code == .invalidType && $0.path.hasPrefix("rule_ast.value") })
  }

  @Test(arguments: [
    condition("name", "CONTAINS", ""), condition("name", "STARTS_WITH", ""), condition("tags", "CONTAINS", "  "),
    condition("created_at", "=", ""), condition("created_at", "=", "30 days"),
    condition("created_at", ">", "last tuesday"),
    condition("created_at", "=", "2026-02-30"), condition("created_at", "=", "2026-02-30T00:00:00Z"),
    condition("created_at", "=", "2026-13-01"), condition("created_at", "=", "2026-03-31T10:30:00"),
    condition("created_at", "=", "0000-01-01"), condition("created_at", "=", "0 days ago"),
    condition("created_at", "WITHIN_LAST", "30"), condition("created_at", "WITHIN_LAST", "30 fortnights"),
    condition("created_at", "WITHIN_LAST", "-3 days"), condition("created_at", "WITHIN_LAST", "0 days"),
    condition("created_at", "WITHIN_LAST", "9999 years"), condition("created_at", "WITHIN_LAST", "1.5 days"),
    condition("created_at", "WITHIN_LAST", "today"), condition("metadata.x", ">", "7 days ago"),
    condition("metadata.x", "=", "Today"), condition("metadata.x", "IN", ["x", "last month"]),
    condition("metadata.x", "BETWEEN", ["now", "now"]), condition("name", "=", "a\0b"),
  ])
  func valuesThatMeanNothingAreRefused(rule: JSONValue) {
    #expect(errors(rule).contains { $0.code == .invalidValue && $0.path.hasPrefix("rule_ast.value") })
  }

  @Test func thirtyFebruaryIsNamed() {
    #expect(errors(condition("created_at", "=", "2026-02-30")).first?.message == #"there is no such day: "2026-02-30""#)
    #expect(errors(condition("created_at", "=", "2024-02-29")).isEmpty)
  }

  @Test(arguments: [
    condition("visits", "BETWEEN", [5, 4]),
    condition("total_spend", "BETWEEN", [9_007_199_254_740_993, 9_007_199_254_740_992.0]),
    condition("metadata.x", "BETWEEN", ["b", "a"]), condition("created_at", "BETWEEN", ["2026-02-02", "2026-02-01"]),
    condition("created_at", "BETWEEN", ["2026-02-01T00:00:00.001Z", "2026-02-01T00:00:00Z"]),
  ])
  func aRangeTheWrongWayRoundIsRefused(rule: JSONValue) {
    #expect(errors(rule).map(\.code) == [.invertedRange])
  }

  @Test func valuesAreNormalisedAsLeadsAre() throws {
    let rule = group(
      "AND", condition("emails", "IN", [" Ann@Example.COM "]), condition("emails", "ENDS_WITH", "@EXAMPLE.com"),
      condition("tags", "HAS_ALL", [" VIP "]), condition("phones", "STARTS_WITH", " +1"),
      condition("name", "=", " Ann "))
    let expected = group(
      "AND", condition("emails", "IN", ["ann@example.com"]), condition("emails", "ENDS_WITH", "@example.com"),
      condition("tags", "HAS_ALL", ["VIP"]), condition("phones", "STARTS_WITH", "+1"), condition("name", "=", " Ann "))
    #expect(try Rule.decode(rule).json() == expected)
  }

  @Test func numbersKeepTheirTypeAndDigits() throws {
    for value in [.int(.max), .int(.min), 9_007_199_254_740_993, 5, 5.0, 0.1, -0.0] as [JSONValue] {
      #expect(try Rule.decode(condition("total_spend", "=", value)).json()["value"] == value)
    }
  }

  @Test func behaviourConditionsAreRead() throws {
    let rule = group(
      "AND",
      [
        "type": "orders", "where": group("AND", condition("items.sku", "=", "A"), condition("total", ">", 5)),
        "within": "90 days", "measure": "count", "operator": ">=", "value": 3,
      ],
      ["type": "orders", "measure": "last", "operator": "WITHIN_LAST", "value": "2 weeks"],
      ["type": "campaign", "campaign_id": "any", "status": "READ", "within": "30 days", "negate": true],
      ["type": "campaign", "campaign_id": "65f000000000000000000001", "status": "any", "negate": false],
      ["type": "segment", "segment_id": "65f000000000000000000001"])
    #expect(try Rule.decode(rule).json() == rule)
  }

  @Test(
    arguments: [
      (["type": "orders", "measure": "median", "operator": ">", "value": 1], "rule_ast.measure: invalid_value"),
      (
        ["type": "orders", "measure": "count", "operator": "EXISTS", "value": true],
        "rule_ast.operator: operator_not_allowed"
      ),
      (
        ["type": "orders", "measure": "count", "operator": "WITHIN_LAST", "value": "1 day"],
        "rule_ast.operator: operator_not_allowed"
      ),
      (["type": "orders", "measure": "sum", "operator": "=", "value": nil], "rule_ast.value: invalid_type"),
      (["type": "orders", "measure": "last", "operator": ">", "value": 5], "rule_ast.value: invalid_type"),
      (
        ["type": "orders", "measure": "count", "operator": ">", "value": 5, "within": "today"],
        "rule_ast.within: invalid_value"
      ),
      (
        ["type": "orders", "where": condition("visits", ">", 1), "measure": "count", "operator": ">", "value": 5],
        "rule_ast.where.field: invalid_field"
      ),
      (
        [
          "type": "orders", "where": ["type": "segment", "segment_id": "x"], "measure": "count", "operator": ">",
          "value": 5,
        ],
        "rule_ast.where.type: invalid_value"
      ),
      (
        ["type": "campaign", "campaign_id": "x", "status": "OPENED"],
        "rule_ast.campaign_id: invalid_value,rule_ast.status: invalid_value"
      ),
      (["type": "campaign", "campaign_id": "any", "status": "SENT", "negate": "no"], "rule_ast.negate: invalid_type"),
      (["type": "segment", "segment_id": "any"], "rule_ast.segment_id: invalid_value"),
      (["type": "segment"], "rule_ast.segment_id: required"),
    ] as [(JSONValue, String)])
  func brokenBehaviourConditionsAreRefused(rule: JSONValue, expected: String) {
    #expect(problems(rule).joined(separator: ",") == expected)
  }
}

private func fieldError(_ problem: RuleProblem) -> FieldError {
  FieldError(field: problem.path, code: problem.code.rawValue, message: problem.message)
}
