import BSON
import CRMCore
import CivilTime
import JSON
import Testing

@Suite struct RulesLimitTests {
  private static let leaf = condition("visits", ">", 1)

  private static func nested(_ depth: Int) -> JSONValue {
    (0..<depth).reduce(leaf) { rule, _ in group("NOT", rule) }
  }

  @Test func groupsNestTwentyDeepAndNoDeeper() throws {
    let deepest = try Rule.decode(Self.nested(20))
    #expect(try deepest.evaluate(lead: ["visits": 2], now: ruleNow))
    #expect(errors(Self.nested(21)).map(\.code) == [.tooDeep])
  }

  @Test func aRuleHasTwoHundredConditionsAndNoMore() {
    func wide(_ count: Int) -> JSONValue {
      ["op": "OR", "children": .array(Array(repeating: Self.leaf, count: count))]
    }
    #expect(errors(wide(200)).isEmpty)
    #expect(problems(wide(201)) == ["rule_ast.children[200]: too_many"])
    #expect(problems(wide(100_000)) == ["rule_ast.children[200]: too_many"])
  }

  @Test func conditionsWithinOrdersCountToo() {
    let inner = condition("currency", "=", "USD")
    let orders: JSONValue = [
      "type": "orders", "where": ["op": "AND", "children": .array(Array(repeating: inner, count: 200))],
      "measure": "count",
      "operator": ">", "value": 1,
    ]
    #expect(errors(orders).map(\.code) == [.tooMany])
  }

  @Test func aListHasTenThousandValuesAndNoMore() throws {
    func list(_ count: Int) -> JSONValue { .array((0..<count).map { .int(Int64($0)) }) }
    let rule = try Rule.decode(condition("visits", "IN", list(10_000)))
    #expect(try rule.evaluate(lead: ["visits": 9_999], now: ruleNow))
    #expect(try !rule.evaluate(lead: ["visits": 10_000], now: ruleNow))
    #expect(problems(condition("visits", "IN", list(10_001))) == ["rule_ast.value: too_many"])
    #expect(problems(condition("tags", "HAS_ANY", [])) == ["rule_ast.value: too_few"])
    #expect(problems(condition("visits", "IN", [])) == ["rule_ast.value: too_few"])
  }

  @Test func aTextHasAThousandAndTwentyFourBytesAndNoMore() {
    let long = String(repeating: "\u{E9}", count: 512)
    #expect(errors(condition("name", "=", .string(long))).isEmpty)
    #expect(errors(condition("name", "=", .string(long + "x"))).map(\.code) == [.tooLong])
    #expect(errors(condition("name", "CONTAINS", .string(long + "x"))).map(\.code) == [.tooLong])
    // Lower case, this letter takes three bytes instead of two.
    let growing = String(repeating: "\u{130}", count: 500)
    #expect(errors(condition("emails", "=", .string(growing))).map(\.code) == [.tooLong])
  }

  @Test func problemsAreListedUpToALimit() {
    let values = JSONValue.array(Array(repeating: "x", count: 10_000))
    let problems = errors(condition("visits", "IN", values))
    #expect(problems.count == RuleLimits.problems)
    #expect(problems.last?.code == .tooMany)
    let groups = JSONValue.array(Array(repeating: ["op": "AND", "children": []], count: 100_000))
    #expect(errors(["op": "AND", "children": groups]).count == RuleLimits.problems)
  }

  @Test func hugeAndHostileInputIsRefusedInMilliseconds() {
    let many = JSONValue.array(Array(repeating: 1, count: 1_000_000))
    let keys = JSONObject((0..<200_000).map { ("$k\($0)", .null) })
    let text = JSONValue.string(String(repeating: "\u{E9}", count: 5_000_000))
    let hostile: [JSONValue] = [
      Self.nested(10_000), condition("visits", "IN", many), .object(keys), condition("name", "CONTAINS", text),
      condition("created_at", "=", text), condition("created_at", "WITHIN_LAST", text), ["type": text],
      ["type": "condition", "field": text, "operator": text, "value": text], ["op": text, "children": many],
      ["$where": "sleep(1000)"], condition("name", "=", ["$where": "1"]), condition("name", "=", "\0"),
    ]
    for rule in hostile {
      let start = processorTime()
      let problems = errors(rule)
      #expect(processorTime() - start < 0.5, "a debug build on a slow machine takes a tenth of this")
      #expect(!problems.isEmpty)
      #expect(problems.count <= RuleLimits.problems)
      #expect(problems.allSatisfy { $0.description.utf8.count < 2_000 })
    }
  }

  @Test(arguments: ["(a+)+$", "(a|aa)+$", "^(([a-z])+.)+[A-Z]([a-z])+$", "a{1,65535}", "\\", "[", "(?{", "\\E", "$"])
  func patternsAreTextAndCostNoMore(bomb: String) throws {
    let text = String(repeating: "a", count: 900)
    let lead: BSONDocument = ["name": .string(text + "!")]
    let exact: BSONDocument = ["name": .string(text + bomb)]
    for op in ["CONTAINS", "ENDS_WITH"] {
      let rule = condition("name", op, .string(bomb))
      #expect(try !matches(rule, lead), "\(op)")
      #expect(try matches(rule, exact), "\(op)")
    }
  }

  /// Repetitive texts are the worst case of a search that starts anew at every place.
  @Test func theLargestLeadIsSearchedInBoundedTime() throws {
    let needle = JSONValue.string(String(repeating: "a", count: 511) + "b")
    let text = BSONValue.string(String(repeating: "A", count: 1_024))
    let lead: BSONDocument = ["metadata": ["list": .array(Array(repeating: text, count: 1_000))]]
    let conditions = JSONValue.array(Array(repeating: condition("metadata.list", "CONTAINS", needle), count: 20))
    let evaluator = try Rule.decode(["op": "OR", "children": conditions]).compiled(now: ruleNow).evaluator()
    let start = processorTime()
    #expect(!evaluator.matches(lead))
    #expect(processorTime() - start < 20, "20 conditions on a megabyte; a debug build takes a tenth of this")
  }

  @Test func aFilterThatTheServerWouldNotTakeIsRefused() throws {
    let values = JSONValue.array((0..<10_000).map { .string("\($0)" + String(repeating: "x", count: 1_000)) })
    let rule = try Rule.decode(group("OR", condition("name", "IN", values), condition("tags", "IN", values)))
    #expect(throws: RuleError.self) { try rule.filter(now: ruleNow) }
    do {
      _ = try rule.filter(now: ruleNow)
    } catch {
      #expect(error.errors.map(\.code) == [.tooLarge])
    }
  }

  @Test func tenThousandDatesBecomeFewBranches() throws {
    let days = (0..<10_000).map { index -> JSONValue in
      .string(String(Timestamp(milliseconds: Int64(index) * 86_400_000).description.prefix(10)))
    }
    let filter = try Rule.decode(condition("created_at", "IN", .array(days))).filter(now: ruleNow)
    #expect(filter.extendedJSON().utf8.count < 200)
  }
}
