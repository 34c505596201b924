/// One thing that keeps a rule from being understood.
public struct RuleProblem: Hashable, Sendable, CustomStringConvertible {
  /// What, for programs.
  public enum Code: String, Sendable {
    case required
    case invalidType = "invalid_type"
    /// A key that the object does not have.
    case unknownKey = "unknown_field"
    case duplicate
    /// A field that rules cannot name.
    case invalidField = "invalid_field"
    case unknownOperator = "unknown_operator"
    /// An operator that exists, but not for this field.
    case operatorNotAllowed = "operator_not_allowed"
    case invalidValue = "invalid_value"
    /// A range whose low end lies above its high end.
    case invertedRange = "inverted_range"
    case tooFew = "too_few"
    case tooMany = "too_many"
    case tooLong = "too_long"
    case tooDeep = "too_deep"
    case tooLarge = "too_large"
    /// Orders, campaigns and segments are needed, which a filter over leads cannot ask for.
    case needsBehaviour = "needs_behaviour"
    case unknownSegment = "unknown_segment"
    /// A segment that refers to itself by way of others.
    case cycle
    /// A construct of another tool's rules that has no equal here.
    case notSupported = "not_supported"
  }

  /// Where: `rule_ast.children[2].value`.
  public let path: String
  public let code: Code
  /// What, for people.
  public let message: String

  public init(path: String, code: Code, message: String) {
    self.path = path
    self.code = code
    self.message = message
  }

  public var description: String { "\(path): \(message)" }
}

/// A rule that cannot be understood, with everything that is wrong with it. Whoever wrote the rule has to correct it;
/// until then it reaches nobody.
public struct RuleError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Never empty; in the order of the rule's text.
  public let errors: [RuleProblem]

  init(_ errors: [RuleProblem]) { self.errors = errors }

  init(_ path: String, _ code: RuleProblem.Code, _ message: String) {
    errors = [RuleProblem(path: path, code: code, message: message)]
  }

  /// The paths of the conditions about orders, campaigns or segments, when it is they that are in the way.
  public var behaviourPaths: [String] { errors.filter { $0.code == .needsBehaviour }.map(\.path) }

  public var fieldErrors: [FieldError] {
    errors.map { FieldError(field: $0.path, code: $0.code.rawValue, message: $0.message) }
  }

  public var description: String { errors.map(\.description).joined(separator: "; ") }
}
