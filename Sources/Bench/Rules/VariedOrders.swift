import BSON
import CRMCore
import CivilTime

/// Made-up orders of two years, the same at every run: a few leads buy often, most seldom, and some products are bought more
/// than others.
struct VariedOrders {
  private var random: SplitMix64

  init(seed: UInt64) { random = SplitMix64(state: seed) }

  static let days = 730
  private static let products = 500

  /// One item in a quarter of a million.
  static let rareProduct = "SKU-499"

  mutating func next(_ index: Int, leads: [ObjectID]) -> Order {
    let at = VariedLeads.now.advanced(by: .seconds(-below(Self.days * 86_400)))
    let items = (0..<(1 + below(3))).map { _ in
      OrderItem(sku: "SKU-\(below(below(Self.products) + 1))", quantity: Int64(1 + below(3)), price: price())
    }
    let total = items.reduce(0) { $0 + $1.price * Double($1.quantity) }
    return Order(
      id: ObjectID(), orderNo: "O-\(index)", leadID: leads[min(below(leads.count), below(leads.count))], items: items,
      total: (total * 100).rounded() / 100, currency: "USD", orderedAt: at, createdAt: at, updatedAt: at)
  }

  private mutating func price() -> Double { Double(199 + below(20_000)) / 100 }
  private mutating func below(_ count: Int) -> Int { Int(truncatingIfNeeded: random.next() >> 33) % count }
}
