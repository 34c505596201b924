extension Rule {
  /// The same audience in one form: groups of one child, double negations and groups within groups of the same kind are
  /// dissolved; lists and groups hold nothing twice; whole numbers are integers.
  ///
  /// Two rules with the same canonical form choose the same leads; the converse does not hold.
  public func canonical() -> Rule {
    switch self {
    case .and(let children):
      Self.group(children) { rule in
        if case .and(let inner) = rule { inner } else { nil }
      } make: {
        .and($0)
      }
    case .or(let children):
      Self.group(children) { rule in
        if case .or(let inner) = rule { inner } else { nil }
      } make: {
        .or($0)
      }
    case .not(let child):
      Self.negated(child.canonical())
    case .condition(let condition):
      .condition(condition.canonical)
    case .orders(let orders):
      .orders(
        OrdersCondition(
          filter: orders.filter?.canonical(), within: orders.within, measure: orders.measure,
          operator: orders.operator, value: orders.value.canonical))
    case .campaign, .segment: self
    }
  }

  private static func negated(_ rule: Rule) -> Rule {
    if case .not(let inner) = rule { inner } else { .not(rule) }
  }

  private static func group(
    _ children: [Rule], dissolve: (Rule) -> [Rule]?, make: ([Rule]) -> Rule
  ) -> Rule {
    let flat = children.map { $0.canonical() }.flatMap { dissolve($0) ?? [$0] }.unique()
    return flat.count == 1 ? flat[0] : make(flat)
  }
}

extension RuleCondition {
  /// Operators that say the same become one of them.
  fileprivate var canonical: RuleCondition {
    switch (self.operator, value) {
    case (.equal, .null): return RuleCondition(field, .exists, .bool(false))
    case (.notEqual, .null): return RuleCondition(field, .exists, .bool(true))
    default: break
    }
    let op: RuleOperator =
      switch (field.kind, self.operator) {
      case (.tag, .contains): .equal
      case (.tag, .notContains): .notEqual
      case (.tag, .isIn): .hasAny
      case (.tag, .notIn): .hasNone
      default: self.operator
      }
    return RuleCondition(field, op, value.canonical)
  }
}

extension RuleValue {
  fileprivate var canonical: RuleValue {
    switch self {
    case .number(let number): .number(number.canonical)
    case .list(let values): .list(values.map(\.canonical).unique())
    case .range(let low, let high): .range(low: low.canonical, high: high.canonical)
    case .null, .bool, .text, .date, .span: self
    }
  }
}

extension Sequence where Element: Hashable {
  /// Every element once, where it came first.
  func unique() -> [Element] {
    var seen: Set<Element> = []
    return filter { seen.insert($0).inserted }
  }
}
