/// Why a template does not parse. Its author has to change it.
public struct TemplateError: Error, Hashable, Sendable, CustomStringConvertible {
  public let message: String
  /// Both count from 1; columns count characters.
  public let line: Int
  public let column: Int
  /// What could be written instead.
  public let hint: String?

  public init(message: String, line: Int, column: Int, hint: String? = nil) {
    self.message = message
    self.line = line
    self.column = column
    self.hint = hint
  }

  public var description: String {
    "line \(line), column \(column): \(message)" + (hint.map { " (\($0))" } ?? "")
  }
}
