import CRMCore
import JSON
import Testing

@Suite struct RulesExplanationTests {
  private func explain(_ rule: JSONValue) throws -> String { try Rule.decode(rule).explanation() }

  @Test(
    arguments: [
      (condition("total_spend", ">", 1_000), "spent more than 1,000"),
      (condition("total_spend", "BETWEEN", [-1_234_567, 0.5]), "spent from -1,234,567 to 0.5"),
      (condition("visits", "<", 5), "visited fewer than 5 times"),
      (condition("visits", "!=", 5), "number of visits is not 5 (also when missing)"),
      (condition("visits", "IN", [1, 2_000]), "number of visits is one of (1, 2,000)"),
      (condition("name", "CONTAINS", #"o"b"#), #"name contains "o\"b" (upper or lower case)"#),
      (condition("name", "STARTS_WITH", "Mc"), #"name starts with "Mc""#),
      (condition("emails", "ENDS_WITH", ".org"), #"an e-mail address ends with ".org""#),
      (condition("emails", "!=", "a@b.org"), #"no e-mail address is "a@b.org" (also when missing)"#),
      (
        condition("phones", "NOT_CONTAINS", "+1"),
        #"no phone number contains "+1" (upper or lower case) (also when missing)"#
      ),
      (condition("tags", "HAS_ALL", ["a", "b"]), #"has all of the tags ("a", "b")"#),
      (condition("tags", "!=", "vip"), #"does not have the tag "vip" (also when missing)"#),
      (condition("last_order_at", "=", "last month"), "last ordered during last month"),
      (condition("last_order_at", ">", "last month"), "last ordered after the end of last month"),
      (condition("last_order_at", ">", "7 days ago"), "last ordered after 7 days ago"),
      (condition("last_order_at", "<=", "2026-01-01"), "last ordered before the end of 2026-01-01"),
      (condition("created_at", "BETWEEN", ["2026-01-01", "now"]), "was created from the start of 2026-01-01 to now"),
      (condition("opted_out.sms", "EXISTS", false), "has not opted out of sms"),
      (condition("opted_out.sms", "WITHIN_LAST", "30 days"), "opted out of sms within the last 30 days"),
      (condition("last_order_at", "WITHIN_LAST", "30 days"), "last ordered within the last 30 days"),
      (condition("metadata.city", "=", "5"), #"metadata.city is "5""#),
      (condition("metadata.city", "=", 5), "metadata.city is 5"),
      (condition("metadata.city", "IS_EMPTY", true), "metadata.city is blank (missing or empty)"),
      (
        [
          "type": "orders", "where": condition("items.sku", "=", "A"), "within": "90 days", "measure": "count",
          "operator": ">=", "value": 3,
        ],
        #"the number of orders of the last 90 days where (an item's SKU is "A") is at least 3 (none counts as 0)"#
      ),
      (
        ["type": "campaign", "campaign_id": "any", "status": "READ", "within": "1 week", "negate": true],
        "no message of any campaign was read within the last 1 week"
      ),
    ] as [(JSONValue, String)])
  func conditionsReadAsEnglish(rule: JSONValue, expected: String) throws {
    #expect(try explain(rule) == expected)
  }

  @Test func groupsAreUnambiguous() throws {
    let (a, b, c) = (condition("visits", ">", 1), condition("visits", ">", 2), condition("visits", ">", 3))
    func times(_ count: Int) -> String { "visited more than \(count) times" }
    #expect(try explain(group("OR", group("AND", a, b), c)) == "\(times(1)) and \(times(2)), or \(times(3))")
    #expect(try explain(group("AND", a, group("OR", b, c))) == "\(times(1)) and (\(times(2)) or \(times(3)))")
    #expect(
      try explain(group("AND", group("NOT", a), b))
        == "it is not true that (\(times(1))) (also when missing) and \(times(2))")
  }

  @Test func aNegationSaysWhatItMeansForMissingValues() throws {
    let (few, other) = (condition("visits", "<", 5), condition("name", "!=", "Ann"))
    #expect(try explain(group("NOT", few)) == "it is not true that (visited fewer than 5 times) (also when missing)")
    #expect(try explain(group("NOT", other)) == #"it is not true that (name is not "Ann" (also when missing))"#)
    #expect(
      try explain(group("NOT", group("OR", few, other)))
        == #"it is not true that (visited fewer than 5 times or name is not "Ann" (also when missing))"#
        + #" (a missing value fulfils only what says "also when missing")"#)
    #expect(try explain(group("NOT", condition("name", "EXISTS", true))) == "it is not true that (name is present)")
    #expect(
      try explain(group("NOT", ["type": "orders", "measure": "average", "operator": "<", "value": 5]))
        == "it is not true that (the average of orders is less than 5) (also when there is none)")
    #expect(
      try explain(group("NOT", ["type": "orders", "measure": "count", "operator": "<", "value": 5]))
        == "it is not true that (the number of orders is less than 5 (none counts as 0))")
  }
}
