/// Reads a template's text into nodes.
struct TemplateParser {
  private(set) var variables: [String] = []
  private var lexer: TemplateLexer

  /// An `if` that is not closed yet.
  private struct OpenIf {
    let field: TemplateField
    let start: Int
    var then: [TemplateNode]?
    /// The nodes around it.
    let outer: [TemplateNode]
  }

  init(_ source: String) { lexer = TemplateLexer(source) }

  mutating func parse() throws(TemplateError) -> [TemplateNode] {
    var nodes: [TemplateNode] = []
    var open: [OpenIf] = []
    while let piece = lexer.nextPiece() {
      switch piece {
      case .text(let text): nodes.append(.text(text))
      case .output(let start): nodes.append(try output(start))
      case .tag(let start): try tag(start, &nodes, &open)
      }
    }
    if let unclosed = open.last {
      throw lexer.error("this if has no endif", at: unclosed.start, hint: "close it with {% endif %}")
    }
    return nodes
  }

  private mutating func tag(
    _ start: Int, _ nodes: inout [TemplateNode], _ open: inout [OpenIf]
  ) throws(TemplateError) {
    let token = try lexer.token(closing: .tag, from: start)
    guard case .word(let name) = token.kind else {
      throw lexer.error("a tag's name is missing", at: token.start, hint: "known are if, else and endif")
    }
    switch name {
    case "if":
      guard open.count < MessageTemplate.deepestNesting else {
        throw lexer.error("if is nested deeper than \(MessageTemplate.deepestNesting) levels", at: start)
      }
      let field = try self.field(closing: .tag, from: start)
      try expectEnd(start, after: "the field of an if", hint: "an if tests one field; comparisons are not supported")
      open.append(OpenIf(field: field, start: start, then: nil, outer: nodes))
      nodes = []
    case "else":
      try expectEnd(start, after: "else", hint: "else takes nothing; elsif is not supported")
      guard let last = open.indices.last else { throw lexer.error("else without an if", at: start) }
      guard open[last].then == nil else { throw lexer.error("a second else", at: start) }
      open[last].then = nodes
      nodes = []
    case "endif":
      try expectEnd(start, after: "endif", hint: nil)
      guard let closed = open.popLast() else { throw lexer.error("endif without an if", at: start) }
      let node = TemplateNode.condition(
        closed.field, then: closed.then ?? nodes, otherwise: closed.then == nil ? [] : nodes)
      nodes = closed.outer
      nodes.append(node)
    default:
      throw lexer.error("unknown tag \(name.prefix(40))", at: token.start, hint: "known are if, else and endif")
    }
  }

  private mutating func output(_ start: Int) throws(TemplateError) -> TemplateNode {
    let field = try self.field(closing: .output, from: start)
    var kind = field.kind
    var filters: [TemplateFilter] = []
    while true {
      let token = try lexer.token(closing: .output, from: start)
      if case .end = token.kind { return .output(field, filters) }
      guard case .pipe = token.kind else {
        throw lexer.error(
          "unexpected \(token.description)", at: token.start, hint: "after the field come }} or | and a filter")
      }
      let nameStart = lexer.position
      let filter = try self.filter(start)
      try check(filter, on: kind, of: field, at: nameStart)
      try check(filter, after: filters, at: nameStart)
      kind = filter.kinds.output ?? kind
      filters.append(filter)
    }
  }

  private mutating func field(
    closing delimiter: TemplateLexer.Delimiter, from start: Int
  ) throws(TemplateError) -> TemplateField {
    let token = try lexer.token(closing: delimiter, from: start)
    guard case .word(let path) = token.kind else {
      throw lexer.error("a field is missing", at: token.start, hint: "a field's name such as name or metadata.city")
    }
    guard let field = TemplateField(path: path) else {
      let known = TemplateField.named.map(\.name).joined(separator: ", ")
      throw lexer.error(
        "unknown field \(path.prefix(100))", at: token.start, hint: "known are \(known) and metadata.<key>")
    }
    if !variables.contains(field.path) { variables.append(field.path) }
    return field
  }

  /// A filter's name and argument.
  private mutating func filter(_ start: Int) throws(TemplateError) -> TemplateFilter {
    let token = try lexer.token(closing: .output, from: start)
    guard case .word(let name) = token.kind else {
      throw lexer.error("a filter's name is missing", at: token.start)
    }
    let argument = try lexer.argument(from: start)
    switch name {
    case "default":
      guard let argument else {
        throw lexer.error("default needs a value", at: token.start, hint: #"default: "there""#)
      }
      return .fallback(argument.text)
    case "number":
      guard let argument else { return .number(decimals: nil) }
      guard !argument.isQuoted, let decimals = Int(argument.text), (0...TemplateFilter.mostDecimals).contains(decimals)
      else {
        throw lexer.error(
          "number takes a count of decimals from 0 to \(TemplateFilter.mostDecimals)", at: argument.start,
          hint: "number: 2")
      }
      return .number(decimals: decimals)
    case "date":
      guard let argument else { return .date(.standard) }
      guard argument.isQuoted, let pattern = DatePattern(argument.text) else {
        throw lexer.error(
          "date takes a quoted pattern", at: argument.start,
          hint: #"date: "%d %B %Y"; it knows "# + DatePattern.directives)
      }
      return .date(pattern)
    case "first_name", "upcase", "downcase", "capitalize":
      if let argument { throw lexer.error("\(name) takes no argument", at: argument.start) }
      return name == "first_name"
        ? .firstName : name == "upcase" ? .upcase : name == "downcase" ? .downcase : .capitalize
    default:
      throw lexer.error(
        "unknown filter \(name.prefix(40))", at: token.start,
        hint: "known are " + TemplateFilter.names.joined(separator: ", "))
    }
  }

  /// Refuses what could never work, so that it does not first show with every lead skipped.
  private func check(
    _ filter: TemplateFilter, on kind: TemplateKind, of field: TemplateField, at position: Int
  ) throws(TemplateError) {
    let isPossible =
      switch (filter.kinds.input, kind) {
      case (.any, _), (_, .any), (.number, .number), (.date, .date): true
      default: false
      }
    if isPossible { return }
    let wanted = filter.kinds.input == .date ? "a date" : "a number"
    throw lexer.error(
      "this filter needs \(wanted), which \(field.path) is not here", at: position,
      hint: "put number and date first, text filters and default after them")
  }

  /// Refuses a default that a later filter cannot work on: `default: "never" | date`.
  private func check(
    _ filter: TemplateFilter, after filters: [TemplateFilter], at position: Int
  ) throws(TemplateError) {
    guard case .fallback(let text)? = filters.last else { return }
    do throws(FilterFailure) {
      _ = try filter.apply(to: .text(text), offset: { _ in 0 })
    } catch {
      throw lexer.error(
        "the default \"\(text.prefix(40))\" \(error.reason)", at: position, hint: "put default last")
    }
  }

  private mutating func expectEnd(_ start: Int, after what: String, hint: String?) throws(TemplateError) {
    let token = try lexer.token(closing: .tag, from: start)
    guard case .end = token.kind else {
      throw lexer.error("unexpected \(token.description) after \(what)", at: token.start, hint: hint)
    }
  }
}
