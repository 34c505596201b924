import Foundation
import JSON

/// The rows of an orders CSV as the API wants them.
struct OrdersFile {
  private var table: CSVTable

  static let known = "order_no, email, lead_id, ordered_at, currency, total, items"
  private static let columns: Set = ["order_no", "email", "lead_id", "ordered_at", "currency", "total", "items"]

  init(path: String) throws {
    table = try CSVTable(path: path, known: Self.known) { Self.columns.contains($0) }
  }

  /// The next order; nil at the end of the file.
  mutating func next() throws(CSVError) -> JSONObject? {
    guard let fields = try table.next() else { return nil }
    var order = JSONObject()
    var items: [(sku: String, quantity: Int64)] = []
    for (column, text) in fields {
      switch column {
      case "total":
        guard let total = Double(text), total.isFinite else { throw table.error("total: \"\(text)\" is not a number") }
        order[column] = .double(total)
      case "items": items = text.split(separator: ";").map { Self.item($0) }
      default: order[column] = .string(text)
      }
    }
    order["items"] = .array(priced(items, total: order["total"]?.doubleValue ?? 0))
    return order
  }

  /// `MUG x2`; without a count it is one.
  private static func item(_ text: Substring) -> (sku: String, quantity: Int64) {
    guard let mark = text.range(of: " x", options: .backwards), let quantity = Int64(text[mark.upperBound...]),
      quantity > 0
    else { return (String(text), 1) }
    return (String(text[..<mark.lowerBound]), quantity)
  }

  /// The file has a total and no prices: every piece is given the same, rounded to cents.
  private func priced(_ items: [(sku: String, quantity: Int64)], total: Double) -> [JSONValue] {
    let pieces = items.reduce(0) { $0 + $1.quantity }
    let price = pieces == 0 ? 0 : (total / Double(pieces) * 100).rounded() / 100
    return items.map { ["sku": .string($0.sku), "quantity": .int($0.quantity), "price": .double(price)] }
  }
}
