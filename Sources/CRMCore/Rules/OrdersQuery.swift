import BSON

/// A comparison over the orders of each lead.
public struct OrdersQuery: Sendable {
  public let measure: OrdersCondition.Measure
  /// Nil when all orders count.
  private let matching: CompiledRule.Node?
  /// Over a document of one field, `value`, which is missing when the measure has no value.
  private let comparison: Predicate
  /// The same two for documents in memory.
  private let counts: RuleProgram?
  private let compares: RuleProgram

  init(
    measure: OrdersCondition.Measure, matching: CompiledRule.Node?, window: ClosedRange<Int64>?, comparison: Predicate
  ) {
    self.measure = measure
    self.matching = matching
    self.window = window
    self.comparison = comparison
    counts = matching.map { RuleProgram($0, .order) }
    compares = RuleProgram(comparison, .measure)
  }

  /// Over the collection of orders: those that count.
  public var filter: BSONDocument { matching?.filter { _ in [:] } ?? [:] }

  /// "Fewer than 3 orders" finds who never bought.
  var holdsWithoutOrders: Bool { compares.matches(Self.document(value(of: []))) }

  /// The first and the last millisecond at which an order that counts can have been made; nil: any.
  let window: ClosedRange<Int64>?

  private var accumulator: BSONValue {
    switch measure {
    case .count: ["$sum": 1]
    case .sum: ["$sum": "$amount"]
    case .average: ["$avg": "$amount"]
    case .first: ["$min": "$ordered_at"]
    case .last: ["$max": "$ordered_at"]
    }
  }

  /// - Parameter leads: the only leads of interest; nil: all.
  func pipeline(among leads: [ObjectID]?) -> [BSONDocument] {
    let wanted = holdsWithoutOrders ? Filters.not(comparison.filter) : comparison.filter
    return [
      ["$match": .document(BehaviourQuery.match(filter, among: leads))],
      ["$group": ["_id": "$lead_id", "value": accumulator]],
      ["$match": .document(wanted)], ["$project": ["_id": 1]],
    ]
  }

  /// One document with the measure of one lead's orders; none when no order counts.
  func pipeline(ofLead id: ObjectID) -> [BSONDocument] {
    [
      ["$match": .document(Filters.all([["lead_id": .objectID(id)]] + (matching == nil ? [] : [filter])))],
      ["$group": ["_id": "$lead_id", "value": accumulator]],
    ]
  }

  func holds(for orders: [BSONDocument]) -> Bool { holds(forValue: value(of: orders)) }

  /// - Parameter value: the measure; nil when it has no value.
  func holds(forValue value: BSONValue?) -> Bool { compares.matches(Self.document(value)) }

  /// The measure of one lead's orders; nil when it has no value.
  func value(of orders: [BSONDocument]) -> BSONValue? {
    let counted = counts.map { rule in orders.filter { rule.matches($0) } } ?? orders
    guard !counted.isEmpty else { return Self.valueWithoutOrders(measure) }
    switch measure {
    case .count: return .int64(Int64(counted.count))
    case .sum: return .double(Self.sum(counted))
    case .average: return .double(Self.sum(counted) / Double(counted.count))
    case .first: return counted.compactMap { $0["ordered_at"]?.dateMilliseconds }.min().map { .date(milliseconds: $0) }
    case .last: return counted.compactMap { $0["ordered_at"]?.dateMilliseconds }.max().map { .date(milliseconds: $0) }
    }
  }

  /// The measure of no orders: 0 or missing.
  static func valueWithoutOrders(_ measure: OrdersCondition.Measure) -> BSONValue? {
    switch measure {
    case .count: .int64(0)
    case .sum: .double(0)
    case .average, .first, .last: nil
    }
  }

  /// With the rounding errors kept and added at the end, as the server's `$sum` does.
  private static func sum(_ orders: [BSONDocument]) -> Double {
    var sum = 0.0
    var lost = 0.0
    for amount in orders.lazy.compactMap({ $0["amount"]?.doubleValue }) {
      let next = sum + amount
      lost += abs(sum) >= abs(amount) ? (sum - next) + amount : (amount - next) + sum
      sum = next
    }
    return sum + lost
  }

  private static func document(_ value: BSONValue?) -> BSONDocument { value.map { ["value": $0] } ?? [:] }
}
