import CivilTime

/// A parsed message: text with a lead's values in it, a small part of Liquid.
///
/// `{{ field }}`, `{{ field | filter: argument }}` with the filters `default`, `first_name`, `upcase`, `downcase`,
/// `capitalize`, `number` and `date`, and `{% if field %}…{% else %}…{% endif %}`. Nothing else parses. Rendering is one
/// pass: what a lead's data contains is never read as template.
public struct MessageTemplate: Sendable, Hashable {
  public static let mostBytes = 10_000
  public static let mostRenderedBytes = 20_000
  public static let deepestNesting = 10

  public let source: String
  /// The paths of the fields it names, in the order of their first use.
  public let variables: [String]
  let nodes: [TemplateNode]

  /// - Throws: `TemplateError` at the first thing that does not parse, an unknown field included.
  public init(parsing source: String) throws(TemplateError) {
    guard source.utf8.count <= Self.mostBytes else {
      throw TemplateError(message: "the template is longer than \(Self.mostBytes) bytes", line: 1, column: 1)
    }
    var parser = TemplateParser(source)
    nodes = try parser.parse()
    variables = parser.variables
    self.source = source
  }
}

enum TemplateNode: Sendable, Hashable {
  case text(String)
  case output(TemplateField, [TemplateFilter])
  indirect case condition(TemplateField, then: [TemplateNode], otherwise: [TemplateNode])
}

/// What a template makes of a lead.
public enum RenderResult: Sendable, Hashable {
  case message(String)
  /// No message, and why: `missing value: metadata.city`.
  case skipped(reason: String)
}

extension MessageTemplate {
  /// Fills the template.
  ///
  /// A field without a value and without a default makes no message but a reason that names all such fields; so does a
  /// value that a filter cannot work on, a message longer than `mostRenderedBytes`, and one of white space only.
  ///
  /// - Parameter offset: the zone in which times are shown; UTC unless given.
  public func render(_ source: some TemplateSource, offset: @escaping UTCOffset = { _ in 0 }) -> RenderResult {
    var renderer = TemplateRenderer(source: source, offset: offset)
    renderer.text.reserveCapacity(self.source.utf8.count + 64)
    renderer.render(nodes)
    if !renderer.missing.isEmpty {
      return .skipped(reason: "missing value: " + renderer.missing.joined(separator: ", "))
    }
    if let problem = renderer.problem { return .skipped(reason: problem) }
    if renderer.text.utf8.count > Self.mostRenderedBytes {
      return .skipped(reason: "the message is longer than \(Self.mostRenderedBytes) bytes")
    }
    if renderer.text.trimmed.isEmpty { return .skipped(reason: "the message is empty") }
    return .message(renderer.text)
  }
}

extension MessageTemplate {
  /// Fills the template with times as they are in a zone.
  public func render(_ source: some TemplateSource, in zone: CalendarZone) -> RenderResult {
    render(source, offset: { Int(zone.offset(at: $0.milliseconds) / 1000) })
  }
}

private struct TemplateRenderer<Source: TemplateSource> {
  let source: Source
  let offset: UTCOffset
  var text = ""
  var missing: [String] = []
  var problem: String?

  mutating func render(_ nodes: [TemplateNode]) {
    for node in nodes {
      // Beyond the limit the message is lost anyway; going on would only cost memory.
      guard text.utf8.count <= MessageTemplate.mostRenderedBytes else { return }
      switch node {
      case .text(let literal): text += literal
      case .output(let field, let filters): output(field, filters)
      case .condition(let field, let then, let otherwise):
        render(source.templateValue(field).isTruthy ? then : otherwise)
      }
    }
  }

  private mutating func output(_ field: TemplateField, _ filters: [TemplateFilter]) {
    var value = source.templateValue(field)
    do throws(FilterFailure) {
      for filter in filters { value = try filter.apply(to: value, offset: offset) }
      switch value {
      case .text(let printed): text += printed
      case .missing: if !missing.contains(field.path) { missing.append(field.path) }
      default: text += try value.printed(offset: offset)
      }
    } catch {
      problem = problem ?? "\(field.path) \(error.reason)"
    }
  }
}
