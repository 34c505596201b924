import BSON
import CRMCore
import CivilTime
import JSON
import Testing

@Suite struct RulesBehaviourTests {
  private static let campaign = ObjectID(hex: "65f000000000000000000001") ?? ObjectID()

  private func order(_ amount: Double, _ sku: String, at time: String = "2026-03-01T00:00:00Z") throws -> BSONDocument {
    [
      "amount": .double(amount), "currency": "USD", "ordered_at": try date(time),
      "items": [["sku": .string(sku), "quantity": 1, "price": .double(amount)]],
    ]
  }

  private func holds(
    _ measure: String, _ op: String, _ value: JSONValue, of orders: [BSONDocument], where filter: JSONValue? = nil,
    within: JSONValue? = nil
  ) throws -> Bool {
    var rule: JSONObject = [
      "type": "orders", "measure": .string(measure), "operator": .string(op), "value": value,
    ]
    rule["where"] = filter
    rule["within"] = within
    return try Rule.decode(.object(rule)).compiled(now: ruleNow).decide([:]) { _ in orders }.matches
  }

  @Test func ordersAreCountedAndSummed() throws {
    let orders = [try order(10, "A"), try order(30, "B")]
    #expect(try holds("count", "=", 2, of: orders))
    #expect(try holds("sum", ">=", 40, of: orders))
    #expect(try holds("average", "=", 20, of: orders))
    #expect(try holds("count", "=", 1, of: orders, where: condition("items.sku", "=", "A")))
    #expect(try holds("sum", "=", 30, of: orders, where: condition("total", "BETWEEN", [20, 40])))
    #expect(try holds("count", "=", 0, of: orders, where: condition("items.price", ">", 30)))
  }

  @Test func firstAndLastAreTheDatesOfOrders() throws {
    let orders = [try order(1, "A", at: "2026-03-30T00:00:00Z"), try order(1, "A", at: "2025-01-01T00:00:00Z")]
    #expect(try holds("last", "WITHIN_LAST", "7 days", of: orders))
    #expect(try !holds("first", "WITHIN_LAST", "7 days", of: orders))
    #expect(try holds("first", "=", "last year", of: orders))
    #expect(try holds("count", "=", 1, of: orders, within: "7 days"))
  }

  @Test func withoutOrdersCountAndSumAreZeroAndTheOthersMissing() throws {
    #expect(try holds("count", "<", 3, of: []))
    #expect(try holds("sum", "=", 0, of: []))
    for measure in ["average", "first", "last"] {
      let value: JSONValue = measure == "average" ? 0 : "2026-01-01"
      for op in ["=", ">", "<", ">=", "<="] { #expect(try !holds(measure, op, value, of: []), "\(measure) \(op)") }
      #expect(try holds(measure, "!=", value, of: []))
    }
  }

  @Test func oneItemHasToFulfilAConditionOverItems() throws {
    let order: BSONDocument = [
      "amount": 1.0, "ordered_at": try date("2026-03-01T00:00:00Z"), "items": [["price": 10], ["price": 50]],
    ]
    #expect(try holds("count", "=", 0, of: [order], where: condition("items.price", "BETWEEN", [20, 40])))
    #expect(try holds("count", "=", 1, of: [order], where: condition("items.price", "BETWEEN", [40, 60])))
  }

  @Test func campaignStatusIsCumulative() throws {
    func holds(_ status: String, _ current: String, negate: Bool = false) throws -> Bool {
      let rule: JSONValue = [
        "type": "campaign", "campaign_id": .string(Self.campaign.hex), "status": .string(status),
        "negate": .bool(negate),
      ]
      let message: BSONDocument = ["campaign_id": .objectID(Self.campaign), "status": .string(current)]
      return try Rule.decode(rule).compiled(now: ruleNow).decide([:]) { _ in [message] }.matches
    }
    let counts = [
      "SENT": ["SENT", "DELIVERED", "READ"], "DELIVERED": ["DELIVERED", "READ"], "READ": ["READ"], "FAILED": ["FAILED"],
    ]
    for (status, counted) in counts {
      for current in ["PENDING", "SENT", "DELIVERED", "READ", "FAILED", "SKIPPED"] {
        #expect(try holds(status, current) == counted.contains(current), "\(current) as \(status)")
        #expect(try holds(status, current, negate: true) != counted.contains(current), "\(current) as not \(status)")
      }
    }
    #expect(try holds("any", "PENDING"))
  }

  @Test func theStoreLearnsWhatToAskAndHowToUseTheAnswer() throws {
    let rule = try Rule.decode(
      group(
        "OR", condition("visits", ">", 1), ["type": "orders", "measure": "count", "operator": "<", "value": 3],
        ["type": "campaign", "campaign_id": "any", "status": "READ"]))
    let compiled = try rule.compiled(now: ruleNow)
    #expect(compiled.behaviours.map(\.path) == ["rule_ast.children[1]", "rule_ast.children[2]"])
    #expect(compiled.behaviours.map(\.collection) == ["orders", "communication_logs"])
    #expect(compiled.behaviours.map(\.holdsWithoutDocuments) == [true, false])
    let id = ObjectID()
    let filter = try compiled.filter { query in query.filter(found: [id]) }
    #expect(
      filter == [
        "$or": [
          ["visits": ["$gt": 1]], ["$nor": [["_id": ["$in": [.objectID(id)]]]]], ["_id": ["$in": [.objectID(id)]]],
        ]
      ])
    #expect(throws: RuleError.self) { try compiled.filter() }
  }
}
