/// The operators of conditions, as written in rules.
public enum RuleOperator: String, Sendable, CaseIterable {
  case equal = "="
  case notEqual = "!="
  case greater = ">"
  case less = "<"
  case greaterOrEqual = ">="
  case lessOrEqual = "<="
  case isIn = "IN"
  case notIn = "NOT_IN"
  case contains = "CONTAINS"
  case notContains = "NOT_CONTAINS"
  case startsWith = "STARTS_WITH"
  case endsWith = "ENDS_WITH"
  case between = "BETWEEN"
  case exists = "EXISTS"
  case isEmpty = "IS_EMPTY"
  case hasAny = "HAS_ANY"
  case hasAll = "HAS_ALL"
  case hasNone = "HAS_NONE"
  case withinLast = "WITHIN_LAST"
  case withinNext = "WITHIN_NEXT"

  /// The operators that a kind of field takes.
  static func allowed(on kind: RuleField.Kind) -> [RuleOperator] {
    let text: [RuleOperator] = [.contains, .notContains, .startsWith, .endsWith]
    let order: [RuleOperator] = [.greater, .less, .greaterOrEqual, .lessOrEqual, .between]
    return switch kind {
    case .text, .email, .phone: any + text
    case .tag: any + [.contains, .notContains, .hasAny, .hasAll, .hasNone]
    case .number: any + order
    case .date: any + order + [.withinLast, .withinNext]
    case .metadata: any + order + text
    }
  }

  /// The operators that a measure of orders takes: a comparison always needs a value.
  static func allowed(on measure: OrdersCondition.Measure) -> [RuleOperator] {
    allowed(on: measure.kind).filter { $0 != .exists && $0 != .isEmpty }
  }

  private static let any: [RuleOperator] = [.equal, .notEqual, .isIn, .notIn, .exists, .isEmpty]
}
