import BSON
import CRMCore
import JSON
import Testing

/// The shape of filters, where it decides about indexes or injections. That they find the right leads is
/// `RulesAgreement`'s part.
@Suite struct RulesFilterTests {
  private func filter(_ rule: JSONValue) throws -> BSONDocument { try Rule.decode(rule).filter(now: ruleNow) }

  @Test func comparisonsAreOneStepOfAnIndex() throws {
    #expect(try filter(condition("total_spend", ">", 1000)) == ["total_spend": ["$gt": 1000]])
    #expect(try filter(condition("total_spend", "BETWEEN", [1, 2.5])) == ["total_spend": ["$gte": 1, "$lte": 2.5]])
    #expect(
      try filter(condition("last_order_at", "=", "today"))
        == ["last_order_at": ["$gte": try date("2026-03-31T00:00:00Z"), "$lt": try date("2026-04-01T00:00:00Z")]])
    #expect(try filter(condition("name", "STARTS_WITH", "Mc.D")) == ["name": ["$regex": "^Mc\\.D"]])
    #expect(try filter(condition("tags", "HAS_ANY", ["a", "b"])) == ["tags": ["$in": ["a", "b"]]])
    #expect(
      try filter(condition("last_order_at", "=", nil)) == ["last_order_at": ["$eq": nil, "$not": ["$type": "array"]]])
  }

  @Test func negationsAreComplementsAndNotRewritten() throws {
    #expect(try filter(group("NOT", condition("visits", ">", 30))) == ["$nor": [["visits": ["$gt": 30]]]])
    #expect(try filter(condition("name", "!=", "x")) == ["$nor": [["name": ["$eq": "x"]]]])
  }

  @Test func patternsAreEscapedAndEndAtTheVeryEnd() throws {
    let text = ##"a.*+?()[]{}|^$\/#-~ é"##
    let escaped = ##"a\.\*\+\?\(\)\[\]\{\}\|\^\$\\\/\#\-\~ é"##
    #expect(
      try filter(condition("name", "CONTAINS", .string(text))) == [
        "name": ["$regex": .string(escaped), "$options": "i"]
      ])
    #expect(try filter(condition("name", "ENDS_WITH", .string(text))) == ["name": ["$regex": .string(escaped + "\\z")]])
  }

  @Test func oneElementOfAMetadataArrayLiesBetween() throws {
    #expect(
      try filter(condition("metadata.x", "BETWEEN", [20, 40])) == [
        "$and": [
          ["metadata": ["$not": ["$type": "array"]]],
          [
            "$or": [
              ["metadata.x": ["$elemMatch": ["$gte": 20, "$lte": 40]]],
              ["metadata.x": ["$gte": 20, "$lte": 40, "$not": ["$type": "array"]]],
            ]
          ],
        ]
      ])
  }

  @Test func textThatLooksLikeAnOperatorStaysText() throws {
    #expect(try filter(condition("name", "=", "$gt")) == ["name": ["$eq": "$gt"]])
    #expect(try filter(condition("name", "IN", ["/x/", "$where"])) == ["name": ["$in": ["/x/", "$where"]]])
  }

  @Test func behaviourConditionsAreNamedWhenAPlainFilterIsAskedFor() throws {
    let rule = try Rule.decode(
      group(
        "AND", condition("visits", ">", 1), ["type": "orders", "measure": "count", "operator": ">", "value": 1],
        group("NOT", ["type": "segment", "segment_id": "65f000000000000000000001"])))
    for work in [{ _ = try rule.filter(now: ruleNow) }, { _ = try rule.evaluate(lead: [:], now: ruleNow) }] {
      do {
        try work()
        Issue.record("expected an error")
      } catch let error as RuleError {
        #expect(error.behaviourPaths == ["rule_ast.children[1]", "rule_ast.children[2].children[0]"])
      }
    }
  }
}
