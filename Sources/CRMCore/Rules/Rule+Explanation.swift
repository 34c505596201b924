extension Rule {
  /// The rule in plain English: `spent more than 1,000 and visited fewer than 5 times, or has the tag "vip"`.
  ///
  /// Two rules with different canonical forms read differently, and whatever also holds for missing values says so.
  public func explanation() -> String {
    switch self {
    case .and(let children):
      return children.map { $0.part(isAndClear: false) }.joined(separator: " and ")
    case .or(let children):
      // "and" binds more closely than ", or" with its comma, and needs no parentheses within.
      let hasAnd = children.contains { if case .and(let inner) = $0 { inner.count > 1 } else { false } }
      return children.map { $0.part(isAndClear: hasAnd) }.joined(separator: hasAnd ? ", or " : " or ")
    case .not(let child): return "it is not true that (\(child.explanation()))\(child.whenMissing)"
    case .condition(let condition): return condition.explanation
    case .orders(let orders): return orders.explanation
    case .campaign(let campaign): return campaign.explanation
    case .segment(let id): return "belongs to segment \(id)"
    }
  }

  /// A child of a group; groups stand in parentheses, but for those that are clear without.
  private func part(isAndClear: Bool) -> String {
    switch self {
    case .and(let children) where isAndClear && children.count > 1: explanation()
    case .and, .or: "(\(explanation()))"
    case .not, .condition, .orders, .campaign, .segment: explanation()
    }
  }

  /// What a negation of this says of missing values, which fulfil it unless something within says otherwise.
  private var whenMissing: String {
    guard isSilentAboutMissing else { return "" }
    return switch self {
    case .and, .or, .not: #" (a missing value fulfils only what says "also when missing")"#
    case .condition, .campaign, .segment: " (also when missing)"
    case .orders: " (also when there is none)"
    }
  }

  /// Something in it fails for a missing value and does not say so.
  private var isSilentAboutMissing: Bool {
    switch self {
    case .and(let children), .or(let children): children.contains(where: \.isSilentAboutMissing)
    case .not(let child): child.isSilentAboutMissing
    case .condition(let condition): condition.isSilentAboutMissing
    case .orders(let orders): orders.isSilentAboutMissing
    case .campaign, .segment: false
    }
  }
}

extension RuleCondition {
  fileprivate var explanation: String {
    switch (self.operator, value) {
    case (.equal, .null): presence(false)
    case (.notEqual, .null): presence(true)
    case (.exists, .bool(let flag)): presence(flag)
    case (.isEmpty, .bool(true)): "\(field.title) is blank (missing or empty)"
    case (.isEmpty, .bool(false)): "\(field.title) is filled in (neither missing nor empty)"
    default:
      switch field.kind {
      case .email, .phone: "\(addressPhrase)\(missing)"
      case .text, .metadata: "\(field.title) \(self.operator.predicate(value))\(missing)"
      case .tag: "\(tagPhrase)\(missing)"
      case .number: "\(numberPhrase)\(missing)"
      case .date: "\(field.dateSubject) \(self.operator.datePredicate(value))\(missing)"
      }
    }
  }

  private func presence(_ isPresent: Bool) -> String {
    field.optOut.map { "has \(isPresent ? "" : "not ")opted out of \($0)" }
      ?? "\(field.title) is \(isPresent ? "present" : "missing")"
  }

  fileprivate var isSilentAboutMissing: Bool {
    switch self.operator {
    case .exists, .isEmpty, .notEqual, .notIn, .notContains, .hasNone: false
    default: value != .null
    }
  }

  /// Said by the operators that are complements, which a missing value fulfils too.
  private var missing: String {
    switch self.operator {
    case .notEqual, .notIn, .notContains, .hasNone: " (also when missing)"
    default: ""
    }
  }

  /// A lead has several addresses and numbers; the complements hold when none is such a one.
  private var addressPhrase: String {
    switch self.operator {
    case .notEqual: "no \(field.title) \(RuleOperator.equal.predicate(value))"
    case .notIn: "no \(field.title) \(RuleOperator.isIn.predicate(value))"
    case .notContains: "no \(field.title) \(RuleOperator.contains.predicate(value))"
    default: "\(field.kind == .email ? "an" : "a") \(field.title) \(self.operator.predicate(value))"
    }
  }

  private var tagPhrase: String {
    switch self.operator {
    case .equal, .contains: "has the tag \(value.words)"
    case .notEqual, .notContains: "does not have the tag \(value.words)"
    case .isIn, .hasAny: "has one of the tags \(value.words)"
    case .hasAll: "has all of the tags \(value.words)"
    case .notIn, .hasNone: "has none of the tags \(value.words)"
    default: "tags \(self.operator.rawValue) \(value.words)"
    }
  }

  private var numberPhrase: String {
    let predicate = self.operator.predicate(value)
    guard let (verb, unit) = field.verb else { return "\(field.title) \(predicate)" }
    return switch self.operator {
    case .equal: "\(verb) exactly \(value.words)\(unit)"
    case .greater: "\(verb) more than \(value.words)\(unit)"
    case .less: "\(verb) \(unit.isEmpty ? "less" : "fewer") than \(value.words)\(unit)"
    case .greaterOrEqual: "\(verb) at least \(value.words)\(unit)"
    case .lessOrEqual: "\(verb) at most \(value.words)\(unit)"
    case .between: "\(verb) \(value.words)\(unit)"
    default: "\(field.title) \(predicate)"
    }
  }
}

extension RuleOperator {
  /// What is said of a subject that is no date.
  func predicate(_ value: RuleValue) -> String {
    switch self {
    case .equal: "is \(value.words)"
    case .notEqual: "is not \(value.words)"
    case .greater: "is more than \(value.words)"
    case .less: "is less than \(value.words)"
    case .greaterOrEqual: "is at least \(value.words)"
    case .lessOrEqual: "is at most \(value.words)"
    case .isIn: "is one of \(value.words)"
    case .notIn: "is none of \(value.words)"
    case .contains: "contains \(value.words) (upper or lower case)"
    case .notContains: "does not contain \(value.words) (upper or lower case)"
    case .startsWith: "starts with \(value.words)"
    case .endsWith: "ends with \(value.words)"
    case .between: "is \(value.words)"
    default: "\(rawValue) \(value.words)"
    }
  }

  func datePredicate(_ value: RuleValue) -> String {
    switch (self, value) {
    case (.equal, .date(let date)): date.isInterval ? "during \(date)" : "at exactly \(date)"
    case (.notEqual, .date(let date)): date.isInterval ? "not during \(date)" : "not at exactly \(date)"
    case (.greater, .date(let date)): "after \(date.end)"
    case (.less, .date(let date)): "before \(date.start)"
    case (.greaterOrEqual, .date(let date)): "at or after \(date.start)"
    case (.lessOrEqual, .date(let date)): date.isInterval ? "before \(date.end)" : "at or before \(date)"
    case (.between, .range(.date(let low), .date(let high))): "from \(low.start) to \(high.end)"
    case (.isIn, _): "at or during one of \(value.words)"
    case (.notIn, _): "at or during none of \(value.words)"
    case (.withinLast, _): "within the last \(value.words)"
    case (.withinNext, _): "within the next \(value.words)"
    default: "\(rawValue) \(value.words)"
    }
  }
}

extension RuleDate {
  fileprivate var start: String { isInterval ? "the start of \(self)" : description }
  fileprivate var end: String { isInterval ? "the end of \(self)" : description }
}
