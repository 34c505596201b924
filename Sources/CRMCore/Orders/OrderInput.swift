import BSON
import CivilTime
import JSON

/// An order as a client sends it, checked and normalised.
public struct OrderInput: Sendable, Equatable {
  /// How the order names its lead.
  public enum LeadReference: Sendable, Hashable {
    case id(ObjectID)
    /// Normalised as leads' addresses are.
    case email(String)
  }

  public var orderNo: String
  public var lead: LeadReference
  public var items: [OrderItem]
  public var total: Double
  public var currency: String
  public var totalBase: Double?
  public var orderedAt: Timestamp

  public init(
    orderNo: String, lead: LeadReference, items: [OrderItem] = [], total: Double, currency: String,
    totalBase: Double? = nil, orderedAt: Timestamp
  ) {
    self.orderNo = orderNo
    self.lead = lead
    self.items = items
    self.total = total
    self.currency = currency
    self.totalBase = totalBase
    self.orderedAt = orderedAt
  }

  /// The total in the base currency.
  public var amount: Double { totalBase ?? total }

  /// A new order of these values.
  public func newOrder(id: ObjectID, leadID: ObjectID, at now: Timestamp) -> Order {
    Order(
      id: id, orderNo: orderNo, leadID: leadID, items: items, total: total, currency: currency, totalBase: totalBase,
      orderedAt: orderedAt, createdAt: now, updatedAt: now)
  }

  /// The stored order corrected to these values. `changed` is false when it says the same already; the lead's total
  /// moves by the difference of the amounts.
  public func merged(into existing: Order, at now: Timestamp) -> (order: Order, changed: Bool) {
    var order = newOrder(id: existing.id, leadID: existing.leadID, at: now)
    if order.hasSameContent(as: existing) { return (existing, false) }
    order.createdAt = existing.createdAt
    return (order, true)
  }

  /// Checks and normalises, reporting every bad field below `path`.
  ///
  /// - Parameter baseCurrency: what an order without `currency` is in; an order in another must bring `total_base`.
  public static func decode(
    _ json: JSONValue, path: String = "", baseCurrency: String = "USD"
  ) -> Result<OrderInput, ValidationError> {
    var reader = ObjectReader(json, path: path)
    let orderNo = reader.string("order_no", required: true, length: 1...100)
    let lead = leadReference(&reader)
    let items = items(&reader)
    let total = reader.number("total", required: true, in: 0...Money.largest)
    let hadCurrency = reader.has("currency")
    let currency = reader.parsed("currency", normaliseCurrency) ?? (hadCurrency ? nil : baseCurrency)
    let totalBase = reader.number("total_base", in: 0...Money.largest)
    if let currency {
      if currency != baseCurrency, !reader.has("total_base") {
        reader.reject(
          "total_base",
          FieldProblem("missing_conversion", "is required: the order is in \(currency), not in \(baseCurrency)"))
      } else if currency == baseCurrency, let total, let totalBase, total != totalBase {
        reader.reject(
          "total_base", FieldProblem("wrong_conversion", "must equal total for an order in \(baseCurrency)"))
      }
    }
    let orderedAt = reader.timestamp("ordered_at", required: true)
    return reader.result {
      guard let orderNo, let lead, let items, let total, let currency, let orderedAt else { return nil }
      return OrderInput(
        orderNo: orderNo, lead: lead, items: items, total: total, currency: currency, totalBase: totalBase,
        orderedAt: orderedAt)
    }
  }

  /// Exactly one of `lead_id` and `email`.
  private static func leadReference(_ reader: inout ObjectReader) -> LeadReference? {
    let id = reader.objectID("lead_id")
    let email = reader.parsed("email", EmailAddress.normalise)
    switch (reader.has("lead_id"), reader.has("email")) {
    case (true, true):
      reader.reject("email", FieldProblem("conflict", "must not be given beside lead_id"))
      return nil
    case (false, false):
      reader.reject("lead_id", FieldProblem("required", "lead_id or email is required"))
      return nil
    default:
      return id.map(LeadReference.id) ?? email.map(LeadReference.email)
    }
  }

  private static func items(_ reader: inout ObjectReader) -> [OrderItem]? {
    guard reader.has("items") else {
      _ = reader.value("items")
      return []
    }
    guard let elements = reader.array("items", count: 0...1_000) else { return nil }
    var items: [OrderItem] = []
    items.reserveCapacity(elements.count)
    for (index, element) in elements.enumerated() {
      var line = ObjectReader(element, path: reader.path(of: "items[\(index)]"))
      let sku = line.string("sku", required: true, length: 1...100)
      let quantity = line.integer("quantity", required: true, in: 1...1_000_000_000)
      let price = line.number("price", required: true, in: 0...Money.largest)
      reader.reject(contentsOf: line.finish())
      if let sku, let quantity, let price { items.append(OrderItem(sku: sku, quantity: quantity, price: price)) }
    }
    return items
  }

  private static func normaliseCurrency(_ text: String) -> Result<String, FieldProblem> {
    guard text.utf8.count == 3, text.utf8.allSatisfy({ (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0 | 0x20) })
    else { return .failure(FieldProblem("invalid_currency", "must be a currency's three letters, such as USD")) }
    return .success(text.uppercased())
  }
}
