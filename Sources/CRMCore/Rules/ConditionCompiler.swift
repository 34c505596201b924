/// Gives conditions their meaning at one instant.
struct ConditionCompiler {
  let clock: RuleClock

  /// - Throws: a range whose ends are the wrong way round now.
  func predicate(_ condition: RuleCondition, path: String) throws(RuleError) -> Predicate {
    try predicate(condition.field, condition.operator, condition.value, path: path)
  }

  func predicate(
    _ field: RuleField, _ op: RuleOperator, _ value: RuleValue, path: String
  ) throws(RuleError) -> Predicate {
    func test(_ test: ValueTest) -> Predicate { .test(FieldTest(field: field, test: test)) }
    switch (op, value) {
    case (.equal, .null): return .not(test(.exists))
    case (.notEqual, .null): return test(.exists)
    case (.equal, _): return test(try equality(value, path))
    case (.notEqual, _): return .not(test(try equality(value, path)))
    case (.greater, _), (.less, _), (.greaterOrEqual, _), (.lessOrEqual, _):
      return test(.within(try comparison(op, value, path)))
    case (.isIn, .list(let values)), (.hasAny, .list(let values)): return try membership(field, values, path)
    case (.notIn, .list(let values)), (.hasNone, .list(let values)):
      return .not(try membership(field, values, path))
    case (.hasAll, .list(let values)): return test(.hasAll(try texts(values, path)))
    case (.contains, .text(let text)): return test(contains(text, field))
    case (.notContains, .text(let text)): return .not(test(contains(text, field)))
    case (.startsWith, .text(let text)): return test(.startsWith(text))
    case (.endsWith, .text(let text)): return test(.endsWith(text))
    case (.between, .range(let low, let high)): return test(.within(try range(low, high, path)))
    case (.exists, .bool(let flag)): return flag ? test(.exists) : .not(test(.exists))
    case (.isEmpty, .bool(let flag)): return flag ? .not(test(.notEmpty)) : test(.notEmpty)
    case (.withinLast, .span(let span)): return test(.within(window(span, .ago)))
    case (.withinNext, .span(let span)): return test(.within(window(span, .ahead)))
    default: throw mismatch(path)
    }
  }

  /// A comparison over the totals that a lead carries. A lead without orders has none of them, where count and sum are 0.
  func predicate(overTotals orders: OrdersCondition, path: String) throws(RuleError) -> Predicate {
    let field = RuleField.total(orders.measure)
    let comparison = try predicate(field, orders.operator, orders.value, path: path)
    guard let zero = OrdersQuery.valueWithoutOrders(orders.measure) else { return comparison }
    let program = RuleProgram(comparison, .lead)
    let holdsForZero = program.matches([field.path[0]: .document([field.path[1]: zero])])
    guard holdsForZero != program.matches([:]) else { return comparison }
    let isMissing = Predicate.not(.test(FieldTest(field: field, test: .exists)))
    return holdsForZero ? .any([comparison, isMissing]) : .not(.any([.not(comparison), isMissing]))
  }

  /// Tags are labels: one contains another when it is the other.
  private func contains(_ text: RuleText, _ field: RuleField) -> ValueTest {
    field.kind == .tag ? .equals(.text(text)) : .contains(FoldedText(text.string))
  }

  private func equality(_ value: RuleValue, _ path: String) throws(RuleError) -> ValueTest {
    if case .date(let date) = value, case .interval(let start, let end) = clock.resolve(date) {
      return .within(.dates(start, end))
    }
    return .equals(try scalar(value, path))
  }

  /// Against an interval, `>` and `<=` mean its end, `>=` and `<` its start.
  private func comparison(_ op: RuleOperator, _ value: RuleValue, _ path: String) throws(RuleError) -> Bounds {
    if case .date(let date) = value, case .interval(let start, let end) = clock.resolve(date) {
      switch op {
      case .greater: return .from(.date(end))
      case .greaterOrEqual: return .from(.date(start))
      case .less: return .below(.date(start))
      default: return .below(.date(end))
      }
    }
    let scalar = try scalar(value, path)
    switch op {
    case .greater: return .above(scalar)
    case .greaterOrEqual: return .from(scalar)
    case .less: return .below(scalar)
    default: return .upTo(scalar)
    }
  }

  private func range(_ low: RuleValue, _ high: RuleValue, _ path: String) throws(RuleError) -> Bounds {
    guard case .date(let from) = low, case .date(let to) = high else {
      return .between(try scalar(low, path), try scalar(high, path))
    }
    let (first, last) = (clock.resolve(from), clock.resolve(to))
    guard first.first < last.end else {
      throw RuleError("\(path).value", .invertedRange, "at present, \(from) is later than \(to)")
    }
    // Both spellings of the upper end say the same; the inclusive one is what people read in the filter.
    if case .instant(let instant) = last { return .between(.date(first.first), .date(instant)) }
    return .dates(first.first, last.end)
  }

  private func window(_ span: RuleSpan, _ direction: RuleDate.Direction) -> Bounds {
    let (first, last) = clock.window(span, direction)
    return .between(.date(first), .date(last))
  }

  private func membership(
    _ field: RuleField, _ values: [RuleValue], _ path: String
  ) throws(RuleError) -> Predicate {
    var scalars: [Scalar] = []
    var dates: [RuleClock.Resolved] = []
    for value in values {
      if case .date(let date) = value {
        dates.append(clock.resolve(date))
      } else {
        scalars.append(try scalar(value, path))
      }
    }
    var tests = Self.merged(dates).compactMap { start, end -> ValueTest? in
      guard end - start == 1 else { return .within(.dates(start, end)) }
      scalars.append(.date(start))
      return nil
    }
    if !scalars.isEmpty { tests.append(.oneOf(scalars)) }
    let predicates = tests.map { Predicate.test(FieldTest(field: field, test: $0)) }
    return predicates.count == 1 ? predicates[0] : .any(predicates)
  }

  /// The union of dates as few stretches of milliseconds: ten thousand days of an `IN` would be as many branches.
  private static func merged(_ dates: [RuleClock.Resolved]) -> [(start: Int64, end: Int64)] {
    var stretches: [(start: Int64, end: Int64)] = []
    for date in dates.sorted(by: { $0.first < $1.first }) {
      if let last = stretches.last, date.first <= last.end {
        stretches[stretches.count - 1].end = max(last.end, date.end)
      } else {
        stretches.append((date.first, date.end))
      }
    }
    return stretches
  }

  private func texts(_ values: [RuleValue], _ path: String) throws(RuleError) -> [RuleText] {
    var texts: [RuleText] = []
    for value in values {
      guard case .text(let text) = value else { throw mismatch(path) }
      texts.append(text)
    }
    return texts
  }

  private func scalar(_ value: RuleValue, _ path: String) throws(RuleError) -> Scalar {
    switch value {
    case .bool(let flag): return .bool(flag)
    case .number(let number): return .number(number)
    case .text(let text): return .text(text)
    case .date(let date):
      if case .instant(let instant) = clock.resolve(date) { return .date(instant) }
      throw mismatch(path)
    case .null, .list, .range, .span: throw mismatch(path)
    }
  }

  /// The decoder lets no such condition through.
  private func mismatch(_ path: String) -> RuleError {
    RuleError("\(path).value", .invalidType, "the value does not fit the operator")
  }
}
