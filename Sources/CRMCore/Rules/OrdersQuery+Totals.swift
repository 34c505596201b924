/// What the totals over all of a lead's orders say about those that count.
extension OrdersQuery {
  /// The number of orders from which on the condition's answer is another one, when that is all that it asks for and the
  /// dates that a lead carries can tell: 1 for "any order", 3 for "fewer than 3".
  ///
  /// - Parameter op: the condition's. Those that compare with one value set at most one number apart.
  func threshold(_ op: RuleOperator) -> Int? {
    switch op {
    case .equal, .notEqual, .greater, .greaterOrEqual, .less, .lessOrEqual: break
    default: return nil
    }
    guard measure == .count else { return nil }
    let answers = (0...Order.datesOnLead + 1).map { holds(forValue: .int64(Int64($0))) }
    guard let threshold = answers.firstIndex(where: { $0 != answers[0] }), threshold <= Order.datesOnLead,
      !answers[threshold...].contains(answers[0])
    else { return nil }
    return threshold
  }

  /// What every lead has that the question finds: as many orders not before the window as have to count, the first of all
  /// not behind it.
  ///
  /// When no order is later than the window and every order counts, no other lead has as many as a `threshold`.
  func demandsOnTotals() -> [Predicate] {
    func demand(_ field: RuleField, _ bounds: Bounds) -> Predicate {
      .test(FieldTest(field: field, test: .within(bounds)))
    }
    var demands: [Predicate] = []
    let fewest = fewestFound
    if let window {
      let date = RuleField.lastOrder(min(Int(fewest), Order.datesOnLead))
      demands.append(demand(date, .from(.date(window.lowerBound))))
      demands.append(demand(.total(.first), .upTo(.date(window.upperBound))))
    }
    if window == nil || fewest > Order.datesOnLead {
      demands.append(demand(.total(.count), .from(.number(.int(fewest)))))
    }
    return demands
  }

  /// The smallest number of orders that the question can find, looked for up to a hundred.
  private var fewestFound: Int64 {
    guard measure == .count else { return 1 }
    let tried: ClosedRange<Int64> = 1...100
    return tried.first { holds(forValue: .int64($0)) != holdsWithoutOrders } ?? tried.upperBound
  }
}
