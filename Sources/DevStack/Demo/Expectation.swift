import Foundation
import JSON

/// What the two files themselves say about the demo's segments, counted without the product.
struct Expectation {
  /// Dollars above which a customer is a big spender.
  static let threshold: Int64 = 100

  private struct Customer {
    var cents: Int64 = 0
    var readsNewsletter = false
  }

  private var customers: [Customer] = []
  private var byEmail: [String: Int] = [:]
  private var orderNumbers: Set<String> = []
  /// False once a row says something that this count does not understand; then it says nothing.
  private var isSure = true

  /// Of files that the product has not taken whole.
  static var unsure: Expectation {
    var expectation = Expectation()
    expectation.isSure = false
    return expectation
  }

  var bigSpenders: Int? { isSure ? customers.count { $0.cents > Self.threshold * 100 } : nil }

  var modestReaders: Int? {
    isSure ? customers.count { $0.readsNewsletter && $0.cents <= Self.threshold * 100 } : nil
  }

  mutating func add(lead: JSONObject) {
    var customer = Customer()
    customer.readsNewsletter = lead["tags"]?.arrayValue?.contains("newsletter") ?? false
    if let spend = lead["total_spend"]?.doubleValue { customer.cents = Self.cents(spend) }
    for email in lead["emails"]?.arrayValue ?? [] {
      let taken = byEmail.updateValue(customers.count, forKey: (email.stringValue ?? "").lowercased())
      if taken != nil { isSure = false }
    }
    customers.append(customer)
  }

  mutating func add(order: JSONObject) {
    guard let email = order["email"]?.stringValue?.lowercased(), let index = byEmail[email],
      let number = order["order_no"]?.stringValue, orderNumbers.insert(number).inserted,
      order["currency"]?.stringValue ?? "USD" == "USD", let total = order["total"]?.doubleValue
    else {
      isSure = false
      return
    }
    customers[index].cents += Self.cents(total)
  }

  private static func cents(_ dollars: Double) -> Int64 { Int64((dollars * 100).rounded()) }
}
