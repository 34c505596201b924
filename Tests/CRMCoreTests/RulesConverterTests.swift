import CRMCore
import CivilTime
import JSON
import Testing

@Suite struct RulesConverterTests {
  private func convert(_ query: JSONValue, zone: CalendarZone = .utc) throws -> JSONValue {
    try RuleConverter.convert(query, zone: zone).rule.json()
  }

  private func problems(_ query: JSONValue) -> String {
    do {
      _ = try RuleConverter.convert(query)
      return ""
    } catch {
      return error.errors.map { "\($0.path): \($0.code.rawValue)" }.joined(separator: ",")
    }
  }

  private static func leaf(_ field: String, _ op: String, _ value: JSONValue) -> JSONValue {
    ["field": .string(field), "operator": .string(op), "value": value]
  }

  private static func query(_ rules: JSONValue..., combinator: String = "and") -> JSONValue {
    ["combinator": .string(combinator), "rules": .array(rules)]
  }

  @Test func nestedGroupsAndTheirNegation() throws {
    let query: JSONValue = [
      "id": "root", "combinator": "and", "not": false, "disabled": true,
      "rules": [
        ["id": "r1", "path": [0], "field": "name", "operator": "=", "valueSource": "value", "value": "Ann"],
        [
          "combinator": "OR", "not": true,
          "rules": [Self.leaf("visits", ">", "5"), Self.leaf("total_spend", "<=", 2.5)],
        ],
      ],
    ]
    #expect(
      try convert(query)
        == group(
          "AND", condition("name", "=", "Ann"),
          group("NOT", group("OR", condition("visits", ">", 5), condition("total_spend", "<=", 2.5)))))
  }

  @Test func betweenIndependentCombinatorsAndBindsMoreClosely() throws {
    let (a, b, c) = (Self.leaf("visits", "=", 1), Self.leaf("visits", "=", 2), Self.leaf("visits", "=", 3))
    let (x, y, z) = (condition("visits", "=", 1), condition("visits", "=", 2), condition("visits", "=", 3))
    #expect(try convert(["rules": [a, "or", b, "and", c]]) == group("OR", x, group("AND", y, z)))
    #expect(
      try convert(["rules": [a, "and", b, "or", c], "not": true]) == group("NOT", group("OR", group("AND", x, y), z)))
    #expect(try convert(["rules": [a, "AND", b, "and", c]]) == group("AND", x, y, z))
    #expect(try convert(["rules": [a]]) == x)
  }

  @Test(arguments: [
    (leaf("name", "contains", "a"), condition("name", "CONTAINS", "a")),
    (leaf("name", "doesNotContain", "a"), condition("name", "NOT_CONTAINS", "a")),
    (leaf("name", "beginsWith", "a"), condition("name", "STARTS_WITH", "a")),
    (leaf("name", "doesNotBeginWith", "a"), group("NOT", condition("name", "STARTS_WITH", "a"))),
    (leaf("name", "endsWith", "a"), condition("name", "ENDS_WITH", "a")),
    (leaf("name", "doesNotEndWith", "a"), group("NOT", condition("name", "ENDS_WITH", "a"))),
    (leaf("name", "null", nil), condition("name", "EXISTS", false)),
    (leaf("name", "notNull", ""), condition("name", "EXISTS", true)),
    (leaf("tags", "in", " a , b\\,c ,d"), condition("tags", "IN", ["a", "b,c", "d"])),
    (leaf("tags", "notIn", ["a", "b,c"]), condition("tags", "NOT_IN", ["a", "b,c"])),
    (leaf("visits", "in", "1, 2,3.5"), condition("visits", "IN", [1, 2, 3.5])),
    (leaf("metadata.age", "in", "1,2"), condition("metadata.age", "IN", ["1", "2"])),
    (leaf("metadata.age", ">", "35"), condition("metadata.age", ">", "35")),
    (leaf("metadata.age", ">", 35), condition("metadata.age", ">", 35)),
    (leaf("visits", "between", "1,5"), condition("visits", "BETWEEN", [1, 5])),
    (leaf("visits", "between", ["1", 5]), condition("visits", "BETWEEN", [1, 5])),
    (leaf("visits", "notBetween", [1, 5]), group("NOT", condition("visits", "BETWEEN", [1, 5]))),
    (leaf("visits", "!=", " -3 "), condition("visits", "!=", -3)),
    (leaf("created_at", ">=", "2026-03-31"), condition("created_at", ">=", "2026-03-31")),
  ])
  func standardOperatorsAndValuesAsEditorsWriteThem(leaf: JSONValue, expected: JSONValue) throws {
    #expect(try convert(Self.query(leaf, combinator: "or")) == group("OR", expected))
  }

  @Test func aTimeWithoutZoneIsReadInTheZoneOfTheQuery() throws {
    let query = Self.query(Self.leaf("created_at", ">", "2026-07-04T10:30"))
    let converted = try RuleConverter.convert(query, zone: try zone("America/New_York"))
    #expect(converted.rule.json() == group("AND", condition("created_at", ">", "2026-07-04T14:30:00.000Z")))
    #expect(converted.notes.count == 1)
    #expect(converted.notes.first?.contains("America/New_York") == true)
  }

  @Test func theOlderShapeLacksTypes() throws {
    let older: JSONValue = [
      "op": "AND",
      "children": [
        Self.leaf("total_spend", ">", 1_000),
        ["op": "NOT", "children": [Self.leaf("tags", "HAS_ANY", ["vip"])]],
        Self.leaf("last_order_at", "WITHIN_LAST", "30 days"),
      ],
    ]
    #expect(
      try convert(older)
        == group(
          "AND", condition("total_spend", ">", 1_000), group("NOT", condition("tags", "HAS_ANY", ["vip"])),
          condition("last_order_at", "WITHIN_LAST", "30 days")))
    #expect(!errors(older).isEmpty, "everywhere else it is refused")
  }

  @Test func aNoteTellsWhatContainsMeansHere() throws {
    let notes = try RuleConverter.convert(
      Self.query(
        Self.leaf("name", "contains", "x"), Self.leaf("tags", "contains", "x"), Self.leaf("name", "null", "left over"))
    ).notes
    #expect(notes.count == 3)
    #expect(notes[0].hasPrefix("query.rules[0]") && notes[0].contains("case"))
    #expect(notes[1].contains("whole tags"))
    #expect(notes[2].hasPrefix("query.rules[2].value"))
  }

  @Test(
    arguments: [
      (query(leaf("visits", "≈", 1)), "query.rules[0].operator: unknown_operator"),
      (query(leaf("salary", "=", 1)), "query.rules[0].field: invalid_field"),
      (["combinator": "and", "rules": []], "query.rules: too_few"),
      (query(["combinator": "or", "rules": []]), "query.rules[0].rules: too_few"),
      (query(leaf("visits", "=", 1), combinator: "xor"), "query.combinator: not_supported"),
      (["rules": [leaf("visits", "=", 1), "xor", leaf("visits", "=", 2)]], "query.rules[1]: not_supported"),
      (["rules": [leaf("visits", "=", 1), leaf("visits", "=", 2)]], "query.rules: invalid_value"),
      (["rules": [leaf("visits", "=", 1), "and"]], "query.rules: invalid_value"),
      (["combinator": "and", "muted": true, "rules": [leaf("visits", "=", 1)]], "query.muted: not_supported"),
      (
        query(["field": "visits", "operator": "=", "value": "total_spend", "valueSource": "field"]),
        "query.rules[0].valueSource: not_supported"
      ),
      (
        query(["field": "tags", "operator": "=", "value": "x", "match": ["mode": "all"]]),
        "query.rules[0].match: not_supported"
      ),
      (query(["field": "visits", "operator": "=", "value": 1, "func": "abs"]), "query.rules[0].func: unknown_field"),
      (query(leaf("name", "=", ["func": "upper"])), "query.rules[0].value: invalid_type"),
      (query(leaf("~", "=", "x")), "query.rules[0].field: not_supported"),
      (query(leaf("name", "~", "x")), "query.rules[0].operator: not_supported"),
      (query(leaf("name", "=", "~")), "query.rules[0].value: not_supported"),
      (query(leaf("tags", "in", "")), "query.rules[0].value: too_few"),
      (query(leaf("tags", "in", " , ")), "query.rules[0].value: too_few"),
      (query(leaf("tags", "in", [])), "query.rules[0].value: too_few"),
      (query(leaf("visits", "between", [1])), "query.rules[0].value: invalid_value"),
      (query(leaf("visits", "between", "1,")), "query.rules[0].value: invalid_value"),
      (query(leaf("visits", "between", [nil, 3])), "query.rules[0].value: invalid_value"),
      (query(leaf("visits", "between", [5, 1])), "query.rules[0].value: inverted_range"),
      (query(leaf("visits", "=", "35 ish")), "query.rules[0].value: invalid_type"),
      (query(leaf("name", ">", "x")), "query.rules[0].operator: operator_not_allowed"),
      (query(["field": "visits", "operator": "="]), "query.rules[0].value: required"),
      (["combinator": "and", "rules": [leaf("visits", "=", 1)], "not": "yes"], "query.not: invalid_type"),
      ("x", "query: invalid_type"),
      (["op": "AND", "children": []], "query.children: too_few"),
      (["op": "XOR", "children": [leaf("visits", "=", 1)]], "query.op: unknown_operator"),
    ] as [(JSONValue, String)])
  func whatHasNoEqualIsRefusedByName(query: JSONValue, expected: String) {
    #expect(problems(query) == expected)
  }

  @Test func complementsCountTowardsTheDepth() {
    let inner = Self.query(Self.leaf("visits", "notBetween", [1, 2]))
    let twenty = (1..<20).reduce(inner) { query, _ in Self.query(query) }
    #expect(problems(twenty).hasSuffix("too_deep"))
    #expect(problems((0..<10_000).reduce(inner) { query, _ in Self.query(query) }).hasSuffix("too_deep"))
  }
}
