/// One thing wrong with an input, for the person or program that sent it.
public struct FieldError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Where: `leads[3].emails[0]`. The whole body is `body`.
  public let field: String
  /// What, for programs: `required`, `invalid_type`, `unknown_field`, `too_long`, …
  public let code: String
  /// What, for people.
  public let message: String

  public init(field: String, code: String, message: String) {
    self.field = field
    self.code = code
    self.message = message
  }

  public init(field: String, _ problem: FieldProblem) {
    self.init(field: field, code: problem.code, message: problem.message)
  }

  public var description: String { "\(field): \(message)" }
}

/// What is wrong with a value, not yet knowing which field it belongs to.
public struct FieldProblem: Error, Hashable, Sendable {
  public let code: String
  public let message: String

  public init(_ code: String, _ message: String) {
    self.code = code
    self.message = message
  }
}

/// Everything wrong with an input. The sender has to correct it.
public struct ValidationError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Every bad field, in the order of checking; never empty.
  public let errors: [FieldError]

  /// Nil when there is nothing to report.
  public init?(_ errors: [FieldError]) {
    guard !errors.isEmpty else { return nil }
    self.errors = errors
  }

  public init(_ error: FieldError) { errors = [error] }

  public init(field: String, code: String, message: String) {
    self.init(FieldError(field: field, code: code, message: message))
  }

  public var description: String { errors.map(\.description).joined(separator: "; ") }
}
