/// A record of a topic that cannot be read. Reading it again will not help: it belongs into the dead letters.
public struct RecordError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What is wrong, for people.
  public let message: String
  /// The field that is wrong; nil when the value is not even a JSON object.
  public let field: String?

  public init(_ message: String, field: String? = nil) {
    self.message = message
    self.field = field
  }

  public var description: String { field.map { "\($0): \(message)" } ?? message }
}
