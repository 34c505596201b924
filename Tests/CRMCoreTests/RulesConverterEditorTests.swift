import CRMCore
import JSON
import Testing

/// Queries with everything that react-querybuilder's editor leaves in them, versions 6 to 8: as `onQueryChange` gives them
/// and as `formatQuery` writes them.
@Suite struct RulesConverterEditorTests {
  private func convert(_ query: String) throws -> JSONValue {
    try RuleConverter.convert(try JSONValue.parse(query)).rule.json()
  }

  private func problems(_ query: String) throws -> [String] {
    do {
      _ = try RuleConverter.convert(try JSONValue.parse(query))
      return []
    } catch let error as RuleError {
      return error.errors.map(\.description)
    }
  }

  /// A query of one rule, as a button "+ Rule" makes it.
  private func rule(_ members: String) -> String {
    #"{"combinator":"and","id":"7e1f3c0a-8d1d-4c0e-9a9f-0b9a3f1d2c11","rules":[{"id":"a","# + members + "}]}"
  }

  @Test func aQueryOfTheDefaultEditorWithIDs() throws {
    let query = """
      {
        "id": "d4b3c1e2-1f70-4a52-a0f7-62a4ad4ea7c5", "combinator": "and", "not": false,
        "rules": [
          {"id": "1", "field": "name", "operator": "beginsWith", "valueSource": "value", "value": "Stev"},
          {"id": "2", "field": "metadata.lastName", "operator": "in", "valueSource": "value", "value": "Vai, Vaughan"},
          {"id": "3", "field": "visits", "operator": ">", "valueSource": "value", "value": "28"},
          {
            "id": "4", "combinator": "or", "not": true,
            "rules": [
              {"id": "5", "field": "metadata.isMusician", "operator": "=", "valueSource": "value", "value": true},
              {"id": "6", "field": "tags", "operator": "=", "valueSource": "value", "value": "guitar"}
            ]
          }
        ]
      }
      """
    #expect(
      try convert(query)
        == group(
          "AND", condition("name", "STARTS_WITH", "Stev"), condition("metadata.lastName", "IN", ["Vai", "Vaughan"]),
          condition("visits", ">", 28),
          group("NOT", group("OR", condition("metadata.isMusician", "=", true), condition("tags", "=", "guitar")))))
  }

  @Test func aQueryWithoutIDsAndWithPathsOfOldVersions() throws {
    let query = """
      {"combinator": "or", "path": [], "rules": [
        {"path": [0], "field": "total_spend", "operator": ">=", "value": "1000"},
        {"path": [1], "combinator": "and", "not": false, "rules": [
          {"path": [1, 0], "field": "visits", "operator": "<", "value": 5, "disabled": true}], "disabled": false}]}
      """
    #expect(
      try convert(query)
        == group("OR", condition("total_spend", ">=", 1_000), group("AND", condition("visits", "<", 5))))
  }

  @Test func aQueryWithIndependentCombinators() throws {
    let query = """
      {"id": "root", "not": false, "rules": [
        {"id": "1", "field": "name", "operator": "=", "valueSource": "value", "value": "Steve"},
        "and",
        {"id": "2", "field": "visits", "operator": ">", "valueSource": "value", "value": "26", "combinatorPreceding": "and"},
        "or",
        {"id": "3", "not": true, "rules": [
          {"id": "4", "field": "tags", "operator": "notIn", "value": ["a", "b"]}, "or",
          {"id": "5", "field": "emails", "operator": "doesNotEndWith", "value": "@example.com"}]}
      ]}
      """
    #expect(
      try convert(query)
        == group(
          "OR", group("AND", condition("name", "=", "Steve"), condition("visits", ">", 26)),
          group(
            "NOT",
            group(
              "OR", condition("tags", "NOT_IN", ["a", "b"]),
              group("NOT", condition("emails", "ENDS_WITH", "@example.com"))))))
  }

  /// Comma lists are the default of list editors, arrays come with `listsAsArrays`, numbers with `parseNumbers`.
  @Test(arguments: [
    (#""field":"visits","operator":"between","value":"12,14""#, condition("visits", "BETWEEN", [12, 14])),
    (#""field":"visits","operator":"between","value":["12","14"]"#, condition("visits", "BETWEEN", [12, 14])),
    (#""field":"visits","operator":"between","value":[12,14]"#, condition("visits", "BETWEEN", [12, 14])),
    (
      #""field":"visits","operator":"notBetween","value":" 12 , 14 ""#,
      group("NOT", condition("visits", "BETWEEN", [12, 14]))
    ),
    (
      #""field":"created_at","operator":"between","value":"2026-01-01,2026-03-31""#,
      condition("created_at", "BETWEEN", ["2026-01-01", "2026-03-31"])
    ),
    (
      #""field":"created_at","operator":"between","value":["2026-01-01T08:00","2026-03-31T20:30"]"#,
      condition("created_at", "BETWEEN", ["2026-01-01T08:00:00.000Z", "2026-03-31T20:30:00.000Z"])
    ),
    (#""field":"tags","operator":"in","value":"vip,trial""#, condition("tags", "IN", ["vip", "trial"])),
    (#""field":"tags","operator":"in","value":"a\\,b,c""#, condition("tags", "IN", ["a,b", "c"])),
    (#""field":"tags","operator":"in","value":["vip","trial"]"#, condition("tags", "IN", ["vip", "trial"])),
    (#""field":"visits","operator":"in","value":12"#, condition("visits", "IN", [12])),
    (#""field":"visits","operator":"notIn","value":"1, 2,""#, condition("visits", "NOT_IN", [1, 2])),
    (#""field":"name","operator":"null","value":"""#, condition("name", "EXISTS", false)),
    (#""field":"name","operator":"notNull","value":null"#, condition("name", "EXISTS", true)),
    (#""field":"name","operator":"notNull""#, condition("name", "EXISTS", true)),
    (#""field":"last_order_at","operator":"null","value":"2026-01-01""#, condition("last_order_at", "EXISTS", false)),
    (#""field":"name","operator":"=","value":"""#, condition("name", "=", "")),
    (#""field":"total_spend","operator":">","value":".5""#, condition("total_spend", ">", 0.5)),
    (#""field":"total_spend","operator":">","value":"-1e3""#, condition("total_spend", ">", -1000.0)),
    (#""field":"visits","operator":"=","value":"007""#, condition("visits", "=", 7)),
    (
      #""field":"visits","operator":"=","value":{"$bigint":"9007199254740993"}"#,
      condition("visits", "=", 9_007_199_254_740_993)
    ),
    (#""field":"metadata.vip","operator":"=","value":false"#, condition("metadata.vip", "=", false)),
    (
      #""field":"metadata.plan","operator":"=","valueSource":"value","muted":false,"value":"pro""#,
      condition("metadata.plan", "=", "pro")
    ),
  ])
  func valuesAsItsEditorsLeaveThem(members: String, expected: JSONValue) throws {
    #expect(try convert(rule(members)) == group("AND", expected))
  }

  @Test(arguments: [
    (#""field":"visits","operator":">","value":"""#, #"query.rules[0].value: expected a number, got """#),
    (#""field":"visits","operator":">","value":"12px""#, #"query.rules[0].value: expected a number, got "12px""#),
    (
      #""field":"visits","operator":">","value":"99999999999999999999""#,
      #"query.rules[0].value: expected a number, got "99999999999999999999""#
    ),
    (#""field":"visits","operator":"=","value":"1e999""#, #"query.rules[0].value: expected a number, got "1e999""#),
    (
      #""field":"visits","operator":"=","value":{"$bigint":"x"}"#,
      "query.rules[0].value: expected a number, got an object"
    ),
    (
      #""field":"visits","operator":"between","value":"12""#,
      #"query.rules[0].value: expected a low and a high end, both filled in, got "12""#
    ),
    (
      #""field":"visits","operator":"between","value":",14""#,
      #"query.rules[0].value: expected a low and a high end, both filled in, got ",14""#
    ),
    (
      #""field":"visits","operator":"between","value":["12",""]"#,
      "query.rules[0].value: expected a low and a high end, both filled in, got an array"
    ),
    (
      #""field":"visits","operator":"between","value":"14,12""#,
      "query.rules[0].value: the low end 14 is above the high end 12"
    ),
    (#""field":"~","operator":"=","value":"x""#, #"query.rules[0].field: "~" is a placeholder: nothing was chosen"#),
    (
      #""field":"name","operator":"~","value":"x""#,
      #"query.rules[0].operator: "~" is a placeholder: nothing was chosen"#
    ),
    (
      #""field":"visits","operator":"<","value":"total_spend","valueSource":"field""#,
      "query.rules[0].valueSource: a field cannot be compared with another field"
    ),
    (
      #""field":"visits","operator":"<","value":"p1","valueSource":"parameter""#,
      #"query.rules[0].valueSource: expected value, got "parameter": only values can be compared with"#
    ),
    (
      #""field":"name","operator":"matches","value":"^A""#,
      #"query.rules[0].operator: "matches" (a regular expression) is not supported"#
    ),
    (
      #""field":"name","operator":"=","value":"x","muted":true"#,
      "query.rules[0].muted: muted rules are not supported: remove the rule instead"
    ),
    (
      #""field":"tags","operator":"=","match":{"mode":"atLeast","threshold":2},"value":{"combinator":"and","rules":[{"field":"","operator":"contains","value":"S"}]}"#,
      "query.rules[0].match: match (conditions over the elements of a list) is not supported"
    ),
    (
      #""field":"visits","operator":"=","value":1,"lhs":{"kind":"func","fn":"abs","args":[]}"#,
      "query.rules[0].lhs: expressions over fields are not supported"
    ),
  ])
  func whatItsEditorsCannotMeanHereIsRefusedByNameAndPlace(members: String, expected: String) throws {
    #expect(try problems(rule(members)).first == expected)
  }

  @Test func theEditorBeforeItsFirstRuleReachesNobody() throws {
    #expect(
      try problems(#"{"id":"root","combinator":"and","rules":[]}"#)
        == ["query.rules: the group is empty, which would reach everybody"])
    #expect(
      try problems(#"{"id":"root","rules":[],"not":true}"#)
        == ["query.rules: the group is empty, which would reach everybody"])
  }
}
