/// Why a text is not acceptable JSON. The sender has to fix the text; trying again does not help.
public enum JSONError: Error, Equatable, CustomStringConvertible {
  /// Not JSON by RFC 8259, or not UTF-8. `offset` is in bytes, nil where it could not be told.
  case invalid(message: String, offset: Int?)
  case tooDeep(limit: Int)
  /// A member name that occurs twice in one object; `path` names it: `leads[3].name`.
  case duplicateKey(path: String)
  /// A number beyond Int64 (written as an integer) or beyond Double.
  case numberOutOfRange(number: String, offset: Int?)

  public var description: String {
    switch self {
    case .invalid(let message, let offset?): "malformed JSON: \(message) at byte \(offset)"
    case .invalid(let message, nil): "malformed JSON: \(message)"
    case .tooDeep(let limit): "JSON is nested deeper than \(limit) levels"
    case .duplicateKey(let path): "duplicate key in JSON: \(path)"
    case .numberOutOfRange(let number, let offset?): "number out of range in JSON: \(number) at byte \(offset)"
    case .numberOutOfRange(let number, nil): "number out of range in JSON: \(number)"
    }
  }
}
