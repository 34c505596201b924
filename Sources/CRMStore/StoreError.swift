import CRMCore

/// What a store operation finds wrong with a request; the database itself is well.
public enum StoreError: Error, Sendable, CustomStringConvertible {
  /// The document named does not exist.
  case notFound(what: String, id: String)
  /// The document is not in a state that allows this.
  case conflict(message: String, currentStatus: String?, runID: String?)
  /// Fields that cannot be accepted, all of them.
  case invalid([FieldError])

  public var description: String {
    switch self {
    case .notFound(let what, let id): "no \(what) has the id \(id)"
    case .conflict(let message, _, _): message
    case .invalid(let errors): errors.map { "\($0.field): \($0.message)" }.joined(separator: "; ")
    }
  }
}
