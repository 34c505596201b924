/// Why a CSV text cannot be read on: nobody knows any more where its next record begins.
public enum CSVError: Error, Hashable, Sendable, CustomStringConvertible {
  /// There is no header line.
  case noHeader
  /// The header line has something wrong with it that would spoil no more than itself in another line.
  case malformedHeader(CSVFlaw)
  case headerTooLong(limit: Int)
  case recordTooLong(limit: Int)
  /// The text ends within quotes.
  case unterminatedQuote
  /// The text begins with the mark of an encoding that is not read.
  case unsupportedEncoding(String)

  /// What it is, for programs.
  public var code: String {
    switch self {
    case .noHeader: "no_header"
    case .malformedHeader(let flaw): flaw.code
    case .headerTooLong: "header_too_long"
    case .recordTooLong: "row_too_long"
    case .unterminatedQuote: "unterminated_quote"
    case .unsupportedEncoding: "unsupported_encoding"
    }
  }

  public var description: String {
    switch self {
    case .noHeader: "there is no header line"
    case .malformedHeader(let flaw): "the header line \(flaw)"
    case .headerTooLong(let limit): "the header line has more than \(limit) bytes; is a quote in it never closed?"
    case .recordTooLong(let limit): "the row has more than \(limit) bytes; is a quote in it never closed?"
    case .unterminatedQuote: "the text ends within quotes"
    case .unsupportedEncoding(let name): "the text is in \(name); send UTF-8 or Latin-1"
    }
  }
}

/// What is wrong with one record. The records after it are not touched by it.
public enum CSVFlaw: Hashable, Sendable, CustomStringConvertible {
  /// A quote within a field that does not begin with one.
  case strayQuote
  /// Text between a closing quote and the next delimiter.
  case textAfterQuote
  case fieldTooLong(limit: Int)
  case tooManyFields(limit: Int)
  /// Bytes that are no UTF-8, in a text that is.
  case invalidEncoding

  /// What it is, for programs.
  public var code: String {
    switch self {
    case .strayQuote: "stray_quote"
    case .textAfterQuote: "text_after_quote"
    case .fieldTooLong: "field_too_long"
    case .tooManyFields: "too_many_fields"
    case .invalidEncoding: "invalid_encoding"
    }
  }

  public var description: String {
    switch self {
    case .strayQuote: "has a quote within a field that does not begin with one; quote the field and double the quote"
    case .textAfterQuote: "has text between a closing quote and the next delimiter"
    case .fieldTooLong(let limit): "has a field of more than \(limit) bytes"
    case .tooManyFields(let limit): "has more than \(limit) fields"
    case .invalidEncoding: "has bytes that are not UTF-8, which the text before it is"
    }
  }
}
