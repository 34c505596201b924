import BSON
import CRMCore
import JSON
import Testing

/// What the database has to know of a rule beside its filter: whom it can leave out, what it has to be asked, which
/// indexes would help.
@Suite struct RulesAudienceTests {
  private static let spent = condition("total_spend", ">", 10)
  private static let vip = condition("tags", "HAS_ANY", ["vip"])
  private static let frequent = condition("visits", ">=", 3)
  private static let ordered: JSONValue = [
    "type": "orders", "measure": "count", "operator": ">=", "value": 2, "within": "30 days",
  ]
  private static let reached: JSONValue = ["type": "campaign", "campaign_id": "any", "status": "SENT"]

  private func compiled(_ rule: JSONValue, hasOrderTotals: Bool = false) throws -> CompiledRule {
    try Rule.decode(rule).compiled(now: ruleNow, hasOrderTotals: hasOrderTotals)
  }

  private func filter(_ rule: JSONValue) throws -> BSONDocument { try compiled(rule).filter() }

  @Test func withoutQuestionsTheNecessaryFilterIsTheRulesOwn() throws {
    for rule in [Self.spent, group("NOT", group("OR", Self.spent, Self.vip)), group("AND", Self.spent, Self.vip)] {
      #expect(try compiled(rule).necessaryFilter == filter(rule))
      #expect(try compiled(rule).requiredBehaviours?.isEmpty == true)
    }
  }

  @Test func theNecessaryFilterLeavesOutWhatOnlyQuestionsDecide() throws {
    let either = group("OR", Self.spent, Self.ordered)
    let cases: [(JSONValue, JSONValue?)] = [
      (Self.ordered, nil), (either, nil), (group("AND", Self.vip, either), Self.vip),
      (group("AND", Self.spent, Self.ordered, Self.vip), group("AND", Self.spent, Self.vip)),
      (group("NOT", Self.ordered), nil),
      // Who spent is not found, whoever ordered: NOT (spent OR ordered).
      (group("NOT", either), group("NOT", Self.spent)),
      // Who did not spend may be found, and so may everybody: NOT (spent AND ordered).
      (group("NOT", group("AND", Self.spent, Self.ordered)), nil),
      (
        group("OR", group("AND", Self.spent, Self.ordered), group("AND", Self.vip, Self.reached)),
        group("OR", Self.spent, Self.vip)
      ),
    ]
    for (rule, necessary) in cases {
      let expected = try necessary.map { try filter($0) }
      #expect(try compiled(rule).necessaryFilter == expected, "\(rule.encodedString())")
    }
  }

  @Test func questionsThatAllHaveToBeFulfilledAreToldFromOthers() throws {
    func required(_ rule: JSONValue) throws -> [String]? {
      try compiled(rule).requiredBehaviours.map { $0.map { "\($0.isNegated ? "not " : "")\($0.index)" } }
    }
    #expect(try required(Self.ordered) == ["0"])
    #expect(try required(group("AND", Self.spent, Self.ordered, group("NOT", Self.reached))) == ["0", "not 1"])
    #expect(try required(group("NOT", group("OR", Self.spent, Self.ordered))) == ["not 0"])
    #expect(try required(group("OR", group("AND", Self.vip, Self.ordered))) == ["0"])
    #expect(try required(group("OR", Self.spent, Self.ordered)) == nil)
    #expect(try required(group("NOT", group("AND", Self.spent, Self.ordered))) == nil)
  }

  @Test func conditionsAboutAllOrdersAskTheLeadThatCarriesTotals() throws {
    func about(_ measure: String, _ op: String, _ value: JSONValue) throws -> CompiledRule {
      try compiled(
        ["type": "orders", "measure": .string(measure), "operator": .string(op), "value": value], hasOrderTotals: true)
    }
    #expect(try about("count", ">=", 2).filter() == ["order_totals.count": ["$gte": 2]])
    #expect(
      try about("count", "<", 2).filter() == [
        "$or": [
          ["order_totals.count": ["$lt": 2]], ["order_totals.count": ["$eq": nil, "$not": ["$type": "array"]]],
        ]
      ])
    #expect(try about("average", "<", 2).filter() == ["order_totals.average": ["$lt": 2]])
    let none = try about("count", "=", 0).evaluator()
    let some = try about("count", "!=", 0).evaluator()
    for (lead, orders) in [([:], 0), (["order_totals": ["count": 0]], 0), (["order_totals": ["count": 2]], 2)]
      as [(BSONDocument, Int)]
    {
      #expect(none.matches(lead) == (orders == 0))
      #expect(some.matches(lead) == (orders != 0))
    }
    let decision = try about("sum", "<", 5).evaluator().decide([:])
    #expect(decision.matches && decision.decidedBy.map(\.actual) == [0.0])
    #expect(try compiled(Self.ordered, hasOrderTotals: true).behaviours.count == 1, "a window asks the orders")
  }

  private func orders(_ op: String, _ value: JSONValue, _ more: (String, JSONValue)...) -> JSONValue {
    let all: [(key: String, value: JSONValue)] = [
      ("type", "orders"), ("measure", "count"), ("operator", .string(op)), ("value", value), ("within", "30 days"),
    ]
    return .object(JSONObject(all + more.map { (key: $0.0, value: $0.1) }))
  }

  @Test func whetherThereWereSoManyOrdersIsToldByTheDatesOfTheLastOnes() throws {
    func compiled(_ rule: JSONValue) throws -> CompiledRule {
      try Rule.decode(rule).compiled(now: ruleNow, hasOrderTotals: true, hasLaterOrders: false)
    }
    let start = BSONValue.date(milliseconds: ruleNow.milliseconds - 30 * 86_400_000)
    func recent(_ date: String) -> BSONDocument {
      [
        "$and": [
          [date: ["$gte": start]], ["order_totals.first": ["$lte": .date(milliseconds: ruleNow.milliseconds)]],
        ]
      ]
    }
    for (op, value, date) in [
      (">=", 1, "last"), (">", 0, "last"), ("!=", 0, "last"), (">=", 0.5, "last"), (">=", 2, "last2"),
      (">", 2, "last3"), (">", 7.5, "last8"), (">=", 8, "last8"),
    ] as [(String, JSONValue, String)] {
      #expect(try compiled(orders(op, value)).filter() == recent("order_totals.\(date)"), "\(op) \(value)")
    }
    for (op, value, date) in [
      ("<", 1, "last"), ("<=", 0, "last"), ("=", 0, "last"), ("<", 3, "last3"), ("<=", 7, "last8"),
    ] as [(String, JSONValue, String)] {
      let others: BSONDocument = ["$nor": [.document(recent("order_totals.\(date)"))]]
      #expect(try compiled(orders(op, value)).filter() == others, "\(op) \(value)")
    }
    let bought = condition("items.sku", "=", "A")
    for rule in [
      orders(">", 8), orders("<", 9), orders("=", 8), orders("!=", 9), orders("=", 1), orders("!=", 1),
      orders("BETWEEN", [1, 9]), orders("IN", [0]),
      orders(">=", 1, ("where", bought)),
    ] {
      #expect(try compiled(rule).behaviours.count == 1, "\(rule.encodedString())")
    }
    #expect(
      try Rule.decode(orders(">=", 1)).compiled(now: ruleNow, hasOrderTotals: true).behaviours.count == 1,
      "with orders of the future, the last one tells nothing")
  }

  @Test func totalsTellWhomAQuestionCannotFind() throws {
    func necessary(_ rule: JSONValue) throws -> String? {
      try compiled(rule, hasOrderTotals: true).necessaryFilter.map { "\($0)" }
    }
    let three = try #require(try necessary(orders(">=", 3)))
    #expect(three.contains("order_totals.last3") && !three.contains("order_totals.count"))
    let dozen = try #require(try necessary(orders(">=", 12)))
    #expect(dozen.contains("order_totals.last8") && dozen.contains("order_totals.count") && dozen.contains("12"))
    let one = try #require(try necessary(orders("=", 1)))
    #expect(one.contains("order_totals.last") && !one.contains("order_totals.count"))
    #expect(try necessary(orders("<", 3)) == nil, "it finds leads without orders")
    #expect(try necessary(group("NOT", orders("<", 3))) == necessary(orders(">=", 3)))
    #expect(try necessary(group("OR", orders(">=", 3), Self.reached)) == nil)
  }

  @Test func indexesAreAdvisedForWhatTheyCanServe() throws {
    let city = condition("metadata.city", "=", "Oslo")
    let advised: [(JSONValue, [BSONDocument])] = [
      (Self.spent, [["total_spend": 1]]), (group("AND", Self.spent, Self.vip), [["tags": 1, "total_spend": 1]]),
      // Two fields that may both be lists cannot share an index.
      (group("AND", city, Self.vip), [["metadata.city": 1]]), (group("NOT", Self.spent), []),
      (condition("name", "CONTAINS", "x"), []), (condition("name", "!=", "x"), []),
      (group("AND", condition("name", "CONTAINS", "x"), Self.frequent), [["visits": 1]]),
      (group("OR", Self.spent, city), [["total_spend": 1], ["metadata.city": 1]]),
      (group("OR", Self.spent, condition("name", "CONTAINS", "x")), []),
      (condition("last_order_at", "IN", ["2026-01-01", "2026-02-01"]), [["last_order_at": 1]]), (Self.ordered, []),
    ]
    for (rule, keys) in advised {
      #expect(try compiled(rule).advisedIndexes.map(\.keys) == keys.map(\.keys), "\(rule.encodedString())")
    }
  }
}
