/// What the totals over all of a lead's orders say about those that count.
extension OrdersQuery {
  /// Whether the condition only asks if any order counts, or that none does: whether its answer is the same for 1, 2 and any
  /// other number of them, and another one for 0.
  ///
  /// - Parameter op: the condition's. Those that compare with one value can set at most one number apart.
  func asksForAnyOrder(_ op: RuleOperator) -> Bool {
    switch op {
    case .equal, .notEqual, .greater, .greaterOrEqual, .less, .lessOrEqual: break
    default: return false
    }
    guard measure == .count else { return false }
    let answers = [0, 1, 2].map { holds(forValue: .int64($0)) }
    return answers[0] != answers[1] && answers[1] == answers[2]
  }

  /// What every lead has that the question finds: as many orders as have to count, the last one not before the window, the
  /// first one not behind it.
  ///
  /// When no order is later than the window, any order counts and one is enough, no other lead has that.
  func demandsOnTotals() -> [Predicate] {
    func demand(_ total: OrdersCondition.Measure, _ bounds: Bounds) -> Predicate {
      .test(FieldTest(field: .total(total), test: .within(bounds)))
    }
    var demands: [Predicate] = []
    if let window {
      demands.append(demand(.last, .from(.date(window.lowerBound))))
      demands.append(demand(.first, .upTo(.date(window.upperBound))))
    }
    let fewest = fewestFound
    if window == nil || fewest > 1 { demands.append(demand(.count, .from(.number(.int(fewest))))) }
    return demands
  }

  /// The smallest number of orders that the question can find, looked for up to a hundred.
  private var fewestFound: Int64 {
    guard measure == .count else { return 1 }
    let tried: ClosedRange<Int64> = 1...100
    return tried.first { holds(forValue: .int64($0)) != holdsWithoutOrders } ?? tried.upperBound
  }
}
