/// Cuts a template into literal text and the tokens between its delimiters.
struct TemplateLexer {
  enum Delimiter {
    /// `{{ … }}`
    case output
    /// `{% … %}`
    case tag

    var closing: (UInt8, UInt8) {
      switch self {
      case .output: (UInt8(ascii: "}"), UInt8(ascii: "}"))
      case .tag: (UInt8(ascii: "%"), UInt8(ascii: "}"))
      }
    }
  }

  enum Piece {
    case text(String)
    /// Offset of the opening delimiter; the tokens follow.
    case output(Int)
    case tag(Int)
  }

  struct Token {
    enum Kind {
      /// A field's path, a filter's or tag's name, or a number.
      case word(String)
      case quoted(String)
      case pipe
      case colon
      case end
    }

    let kind: Kind
    let start: Int

    var description: String {
      switch kind {
      case .word(let word): "\"\(word.prefix(40))\""
      case .quoted: "quoted text"
      case .pipe: "|"
      case .colon: ":"
      case .end: "end"
      }
    }
  }

  struct Argument {
    let text: String
    let isQuoted: Bool
    let start: Int
  }

  private let bytes: [UInt8]
  private(set) var position = 0

  init(_ source: String) { bytes = Array(source.utf8) }

  /// Literal text up to the next opening delimiter, or that delimiter; nil at the end.
  mutating func nextPiece() -> Piece? {
    guard position < bytes.count else { return nil }
    let start = position
    while position < bytes.count {
      if bytes[position] == UInt8(ascii: "{"), position + 1 < bytes.count {
        let next = bytes[position + 1]
        if next == UInt8(ascii: "{") || next == UInt8(ascii: "%") {
          if position > start { return .text(text(start..<position)) }
          position += 2
          return next == UInt8(ascii: "{") ? .output(start) : .tag(start)
        }
      }
      position += 1
    }
    return .text(text(start..<position))
  }

  /// The next token before the closing delimiter, which is a token itself.
  mutating func token(closing delimiter: Delimiter, from opening: Int) throws(TemplateError) -> Token {
    skipSpace()
    guard position < bytes.count else {
      throw error(
        delimiter == .output ? "{{ is never closed" : "{% is never closed", at: opening,
        hint: delimiter == .output ? "close it with }}; {{ cannot stand in a message itself" : "close it with %}")
    }
    let start = position
    let byte = bytes[position]
    if byte == delimiter.closing.0, position + 1 < bytes.count, bytes[position + 1] == delimiter.closing.1 {
      position += 2
      return Token(kind: .end, start: start)
    }
    switch byte {
    case UInt8(ascii: "|"):
      position += 1
      return Token(kind: .pipe, start: start)
    case UInt8(ascii: ":"):
      position += 1
      return Token(kind: .colon, start: start)
    case UInt8(ascii: "\""), UInt8(ascii: "'"):
      return Token(kind: .quoted(try quoted(byte)), start: start)
    default:
      break
    }
    while position < bytes.count, Self.isWordByte(bytes[position]) { position += 1 }
    guard position > start else {
      throw error("unexpected \(character(at: start))", at: start, hint: nil)
    }
    return Token(kind: .word(text(start..<position)), start: start)
  }

  /// `: value`, if the next token is a colon.
  mutating func argument(from opening: Int) throws(TemplateError) -> Argument? {
    let before = position
    guard case .colon = try token(closing: .output, from: opening).kind else {
      position = before
      return nil
    }
    let token = try token(closing: .output, from: opening)
    switch token.kind {
    case .quoted(let text): return Argument(text: text, isQuoted: true, start: token.start)
    case .word(let word) where Self.isNumber(word): return Argument(text: word, isQuoted: false, start: token.start)
    default:
      throw error("after a colon comes a number or quoted text", at: token.start, hint: #"default: "there""#)
    }
  }

  func error(_ message: String, at offset: Int, hint: String? = nil) -> TemplateError {
    let before = text(0..<offset)
    let lines = before.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    return TemplateError(
      message: message, line: max(1, lines.count), column: (lines.last?.count ?? 0) + 1, hint: hint)
  }

  private mutating func quoted(_ quote: UInt8) throws(TemplateError) -> String {
    let opening = position
    position += 1
    while position < bytes.count, bytes[position] != quote { position += 1 }
    guard position < bytes.count else { throw error("this quote is never closed", at: opening) }
    position += 1
    return text((opening + 1)..<(position - 1))
  }

  private mutating func skipSpace() {
    while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) { position += 1 }
  }

  private func character(at offset: Int) -> String {
    let rest = text(offset..<min(offset + 32, bytes.count))
    return rest.first.map { "\"\($0)\"" } ?? "end"
  }

  private func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

  private static func isWordByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"):
      true
    default: false
    }
  }

  private static func isNumber(_ word: String) -> Bool { Double(word) != nil && word.utf8.allSatisfy { $0 < 0x3A } }
}
