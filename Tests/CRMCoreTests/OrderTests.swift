import BSON
import CRMCore
import CivilTime
import JSON
import Testing

@Suite struct OrderTests {
  private let whole: JSONValue = [
    "order_no": " A-1 ", "email": "John@Example.com", "items": [["sku": "x", "quantity": 2, "price": 9.95]],
    "total": 19.9,
    "currency": "eur", "total_base": 21, "ordered_at": "2026-03-31T10:30:00Z",
  ]

  private func changed(_ changes: JSONObject = [:], without absent: String...) -> JSONValue {
    guard case .object(var object) = whole else { return whole }
    for (key, value) in changes { object[key] = value }
    for key in absent { object[key] = nil }
    return .object(object)
  }

  @Test func normalisesEveryField() throws {
    let input = try OrderInput.decode(whole).get()
    #expect(input.orderNo == "A-1")
    #expect(input.lead == .email("john@example.com"))
    #expect(input.items == [OrderItem(sku: "x", quantity: 2, price: 9.95)])
    #expect(input.currency == "EUR")
    #expect(input.amount == 21)
    #expect(input.orderedAt == Fixture.now)
  }

  @Test func isInTheBaseCurrencyUnlessItSaysOtherwise() throws {
    let input = try OrderInput.decode(changed(without: "currency", "total_base", "items"))
      .get()
    #expect(input.currency == "USD")
    #expect(input.amount == 19.9)
    #expect(input.items.isEmpty)
  }

  @Test func inAnotherCurrencyMustBringItsBaseTotal() {
    #expect(OrderInput.decode(changed(without: "total_base")).problems == ["total_base missing_conversion"])
    #expect(OrderInput.decode(changed(["currency": "USD"])).problems == ["total_base wrong_conversion"])
    #expect(OrderInput.decode(whole, baseCurrency: "EUR").problems == ["total_base wrong_conversion"])
  }

  @Test func namesExactlyOneLead() {
    #expect(OrderInput.decode(changed(without: "email")).problems == ["lead_id required"])
    #expect(OrderInput.decode(changed(["lead_id": "65f0a1b2c3d4e5f601234567"])).problems == ["email conflict"])
    #expect(OrderInput.decode(changed(["email": "x"])).problems == ["email invalid_email"])
    #expect(OrderInput.decode(changed(["lead_id": "x"], without: "email")).problems == ["lead_id invalid_id"])
  }

  @Test func namesEveryBadFieldAtOnce() {
    let result = OrderInput.decode(
      [
        "order_no": "", "items": [["sku": "", "quantity": 0, "price": -1, "x": 1], 5], "total": -1, "currency": "EURO",
        "coupon": 1,
      ], path: "orders[0]")
    #expect(
      result.problems == [
        "orders[0].coupon unknown_field", "orders[0].currency invalid_currency",
        "orders[0].items[0].price out_of_range", "orders[0].items[0].quantity out_of_range",
        "orders[0].items[0].sku required", "orders[0].items[0].x unknown_field", "orders[0].items[1] invalid_type",
        "orders[0].lead_id required", "orders[0].order_no required", "orders[0].ordered_at required",
        "orders[0].total out_of_range",
      ])
    let tooMany = JSONValue.array(Array(repeating: ["sku": "x", "quantity": 1, "price": 1], count: 1_001))
    #expect(OrderInput.decode(changed(["items": tooMany])).problems == ["items too_many"])
  }

  @Test func comesBackFromItsDocument() throws {
    let order = try OrderInput.decode(whole).get().newOrder(
      id: Fixture.segmentID, leadID: Fixture.leadID, at: Fixture.now)
    #expect(try Order(bson: order.bson()) == order)
    #expect(order.bson()["amount"] == .double(21))
    #expect(order.jsonValue["total_base"] == 21.0)
    #expect(throws: DocumentShapeError.self) { try Order(bson: ["_id": .objectID(Fixture.leadID)]) }
  }

  @Test func theSameContentIsNoChangeAndOtherContentACorrection() throws {
    let input = try OrderInput.decode(whole).get()
    let order = input.newOrder(id: Fixture.segmentID, leadID: Fixture.leadID, at: Fixture.now)
    let later = Fixture.now.advanced(by: .seconds(9))
    #expect(input.merged(into: order, at: later) == (order, false))
    var corrected = input
    corrected.totalBase = 30
    let (changed, isChanged) = corrected.merged(into: order, at: later)
    #expect(isChanged)
    #expect(changed.amount - order.amount == 9)
    #expect(changed.createdAt == order.createdAt && changed.updatedAt == later && changed.id == order.id)
  }
}
