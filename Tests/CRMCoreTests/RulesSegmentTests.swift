import BSON
import CRMCore
import CivilTime
import JSON
import Testing

@Suite struct RulesSegmentTests {
  private static let ids = ["65f000000000000000000001", "65f000000000000000000002", "65f000000000000000000003"]

  private static func reference(_ index: Int) -> JSONValue { ["type": "segment", "segment_id": .string(ids[index])] }

  /// A rule with these segments, all in one zone.
  private func compiled(_ rule: JSONValue, _ segments: [JSONValue], zone: CalendarZone = .utc) throws -> CompiledRule {
    let rules = try segments.map { try Rule.decode($0) }
    return try Rule.decode(rule).compiled(now: ruleNow) { id in
      Self.ids.firstIndex(of: id.hex).flatMap { rules.indices.contains($0) ? (rules[$0], zone) : nil }
    }
  }

  private func problem(_ rule: JSONValue, _ segments: [JSONValue]) -> String? {
    do {
      _ = try compiled(rule, segments)
      return nil
    } catch let error as RuleError {
      return error.errors.map { "\($0.path): \($0.code.rawValue)" }.joined(separator: ",")
    } catch {
      return "\(error)"
    }
  }

  @Test func aSegmentStandsForItsRule() throws {
    let rule = try compiled(
      group("AND", Self.reference(0), group("NOT", Self.reference(1))),
      [group("OR", condition("visits", ">", 5), condition("tags", "=", "vip")), condition("name", "=", "Ann")])
    #expect(
      try rule.filter() == [
        "$and": [
          ["$or": [["visits": ["$gt": 5]], ["tags": ["$eq": "vip"]]]], ["$nor": [["name": ["$eq": "Ann"]]]],
        ]
      ])
    let decision = try rule.evaluator().decide(["visits": 9])
    #expect(decision.matches)
    #expect(decision.decidedBy.map(\.path) == ["rule_ast.children[0]", "rule_ast.children[1].children[0]"])
  }

  @Test func aSegmentKeepsItsOwnZone() throws {
    let rule = try compiled(
      Self.reference(0), [condition("created_at", "=", "2026-07-04")], zone: try zone("America/New_York"))
    #expect(try rule.evaluator().matches(["created_at": try date("2026-07-05T03:59:59Z")]))
    #expect(try !rule.evaluator().matches(["created_at": try date("2026-07-04T03:59:59Z")]))
  }

  @Test func cyclesAndUnknownSegmentsAreErrors() {
    #expect(
      problem(Self.reference(0), [group("NOT", Self.reference(1)), Self.reference(0)])
        == "rule_ast.segment.children[0].segment.segment_id: cycle")
    #expect(problem(Self.reference(0), [Self.reference(0)]) == "rule_ast.segment.segment_id: cycle")
    #expect(problem(Self.reference(2), []) == "rule_ast.segment_id: unknown_segment")
    #expect(problem(group("AND", Self.reference(0), Self.reference(0)), [condition("visits", ">", 1)]) == nil)
  }

  @Test func segmentsWithinSegmentsStayBounded() {
    let wide: JSONValue = ["op": "OR", "children": .array(Array(repeating: Self.reference(1), count: 100))]
    let wider: JSONValue = ["op": "OR", "children": .array(Array(repeating: Self.reference(2), count: 100))]
    #expect(problem(wide, [wide, wider, condition("visits", ">", 1)])?.hasSuffix("too_many") == true)
    func deep(_ leaf: JSONValue) -> JSONValue { (0..<20).reduce(leaf) { rule, _ in group("NOT", rule) } }
    #expect(
      problem(deep(Self.reference(0)), [deep(Self.reference(1)), condition("visits", ">", 1)])?.hasSuffix("too_deep")
        == true)
  }
}
