import BSON
import CivilTime
import JSON

/// One line of an order.
public struct OrderItem: Sendable, Equatable {
  public var sku: String
  public var quantity: Int64
  /// For one piece, in the order's currency.
  public var price: Double

  public init(sku: String, quantity: Int64, price: Double) {
    self.sku = sku
    self.quantity = quantity
    self.price = price
  }
}

/// Something a lead bought. Its `orderNo`, given by the client, makes it idempotent.
public struct Order: Sendable, Equatable {
  /// Of how many orders, the newest ones, a lead's totals have the dates.
  public static let datesOnLead = 8
  /// The keys of these dates in a lead's `order_totals`, the last order's first.
  public static let dateKeys = ["last"] + (2...datesOnLead).map { "last\($0)" }

  public var id: ObjectID
  public var orderNo: String
  public var leadID: ObjectID
  public var items: [OrderItem]
  /// In `currency`; need not be the sum of the items.
  public var total: Double
  /// ISO 4217.
  public var currency: String
  /// The total in the base currency as the client gave it; an order in another currency always has it.
  public var totalBase: Double?
  public var orderedAt: Timestamp
  public var createdAt: Timestamp
  public var updatedAt: Timestamp

  public init(
    id: ObjectID, orderNo: String, leadID: ObjectID, items: [OrderItem] = [], total: Double, currency: String,
    totalBase: Double? = nil, orderedAt: Timestamp, createdAt: Timestamp, updatedAt: Timestamp
  ) {
    self.id = id
    self.orderNo = orderNo
    self.leadID = leadID
    self.items = items
    self.total = total
    self.currency = currency
    self.totalBase = totalBase
    self.orderedAt = orderedAt
    self.createdAt = createdAt
    self.updatedAt = updatedAt
  }

  /// What the order adds to its lead's `total_spend`, in the base currency; stored as `amount`.
  public var amount: Double { totalBase ?? total }

  /// Whether another order says the same, ids and times of writing aside.
  public func hasSameContent(as other: Order) -> Bool {
    orderNo.utf8.elementsEqual(other.orderNo.utf8) && leadID == other.leadID && items == other.items
      && total == other.total && currency == other.currency && amount == other.amount && orderedAt == other.orderedAt
  }
}

extension Order {
  public init(bson: BSONDocument) throws(DocumentShapeError) {
    let reader = DocumentReader("order", bson)
    let itemFailure = reader.error("items", "an array of sku, quantity and price")
    var items: [OrderItem] = []
    for value in try reader.optional("items", "an array", \.arrayValue) ?? [] {
      guard let item = value.documentValue, let sku = item["sku"]?.stringValue,
        let quantity = item["quantity"]?.int64Value, let price = item["price"]?.doubleValue
      else { throw itemFailure }
      items.append(OrderItem(sku: sku, quantity: quantity, price: price))
    }
    self.init(
      id: try reader.id(), orderNo: try reader.string("order_no"), leadID: try reader.id("lead_id"), items: items,
      total: try reader.double("total"), currency: try reader.string("currency"),
      totalBase: try reader.optional("total_base", "a number", \.doubleValue),
      orderedAt: try reader.time("ordered_at"), createdAt: try reader.time("created_at"),
      updatedAt: try reader.time("updated_at"))
  }

  public func bson() -> BSONDocument {
    var document = BSONDocument(capacity: 256 + 64 * items.count)
    document.append("_id", id)
    document.append("order_no", orderNo)
    document.append("lead_id", leadID)
    document.appendArray("items") { array in
      for item in items {
        var line = BSONDocument()
        line.append("sku", item.sku)
        line.append("quantity", item.quantity)
        line.append("price", item.price)
        array.append(document: line)
      }
    }
    document.append("total", total)
    document.append("currency", currency)
    if let totalBase { document.append("total_base", totalBase) }
    document.append("amount", amount)
    document.append("ordered_at", orderedAt)
    document.append("created_at", createdAt)
    document.append("updated_at", updatedAt)
    return document
  }
}

extension Order: JSONRepresentable {
  public var jsonValue: JSONValue {
    [
      "_id": .string(id.hex), "order_no": .string(orderNo), "lead_id": .string(leadID.hex),
      "items": .array(
        items.map { ["sku": .string($0.sku), "quantity": .int($0.quantity), "price": .double($0.price)] }),
      "total": .double(total), "currency": .string(currency), "total_base": .double(amount),
      "ordered_at": JSONValue(orderedAt), "created_at": JSONValue(createdAt), "updated_at": JSONValue(updatedAt),
    ]
  }
}
