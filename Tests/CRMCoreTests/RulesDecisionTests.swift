import BSON
import CRMCore
import JSON
import Testing

@Suite struct RulesDecisionTests {
  private static let lead: BSONDocument = [
    "total_spend": 50.0, "visits": 3, "tags": ["vip"], "created_at": .date(milliseconds: ruleNow.milliseconds),
  ]
  private static let spent = condition("total_spend", ">", 10)
  private static let rich = condition("total_spend", ">", 1_000)
  private static let frequent = condition("visits", ">=", 3)
  private static let named = condition("name", "=", "Ann")

  private func decide(_ rule: JSONValue) throws -> RuleDecision {
    try Rule.decode(rule).evaluateExplaining(lead: Self.lead, now: ruleNow)
  }

  private func paths(_ decision: RuleDecision) -> [String] { decision.decidedBy.map { "\($0.path) \($0.result)" } }

  @Test func anAndThatHoldsIsDecidedByAllAndOneThatFailsByTheFirstThatFails() throws {
    #expect(
      paths(try decide(group("AND", Self.spent, Self.frequent))) == [
        "rule_ast.children[0] true", "rule_ast.children[1] true",
      ])
    #expect(paths(try decide(group("AND", Self.spent, Self.rich, Self.named))) == ["rule_ast.children[1] false"])
  }

  @Test func anOrThatHoldsIsDecidedByTheFirstThatHoldsAndOneThatFailsByAll() throws {
    #expect(paths(try decide(group("OR", Self.rich, Self.frequent, Self.spent))) == ["rule_ast.children[1] true"])
    #expect(
      paths(try decide(group("OR", Self.rich, Self.named))) == [
        "rule_ast.children[0] false", "rule_ast.children[1] false",
      ])
  }

  @Test func aNegationIsDecidedByWhatItNegates() throws {
    let decision = try decide(group("NOT", group("OR", Self.rich, group("AND", Self.spent, Self.frequent))))
    #expect(!decision.matches)
    #expect(
      paths(decision) == [
        "rule_ast.children[0].children[1].children[0] true", "rule_ast.children[0].children[1].children[1] true",
      ])
  }

  @Test func aDeciderShowsRuleAndLead() throws {
    let rule = group(
      "AND", condition("tags", "HAS_ANY", ["vip", "new"]), condition("created_at", "=", "today"),
      condition("name", "=", nil))
    #expect(
      try decide(rule).jsonValue == [
        "matches": true,
        "decided_by": [
          [
            "path": "rule_ast.children[0]", "field": "tags", "operator": "HAS_ANY", "value": ["vip", "new"],
            "actual": ["vip"], "result": true,
          ],
          [
            "path": "rule_ast.children[1]", "field": "created_at", "operator": "=", "value": "today",
            "actual": "2026-03-31T10:30:00.000Z", "result": true,
          ],
          [
            "path": "rule_ast.children[2]", "field": "name", "operator": "=", "value": nil, "actual": nil,
            "result": true,
          ],
        ],
      ])
  }
}
