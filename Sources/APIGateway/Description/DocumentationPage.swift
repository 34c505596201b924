import JSON
import ServiceHost

/// The description of the API as a page for people: HTML without scripts and without anything from elsewhere.
struct DocumentationPage: Sendable {
  /// Where its style sheet is served.
  static let stylePath = "/docs/style.css"

  private let operations: [DescribedOperation]
  private let schemas: [(key: String, value: JSONValue)]

  /// - Parameter document: the JSON of the same operations.
  init(_ operations: [DescribedOperation], document: JSONValue) {
    self.operations = operations
    schemas = document["components"]?["schemas"]?.objectValue?.entries ?? []
  }

  var html: String {
    let tags = operations.reduce(into: [String]()) { if !$0.contains($1.tag) { $0.append($1.tag) } }
    return """
      <!doctype html>
      <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
      <title>MiniCRM API</title><link rel="stylesheet" href="\(DocumentationPage.stylePath)"></head><body>
      <nav><h1>MiniCRM API</h1><p>\(HTML.escape(ProductVersion.current)) ·
      <a href="/api/v1/openapi.json">OpenAPI</a></p><ul>
      \(tags.map { ##"<li><a href="#\##($0)">\##($0)</a></li>"## }.joined())
      <li><a href="#schemas">Schemas</a></li></ul></nav><main>
      \(tags.map(chapter).joined())
      <h2 id="schemas">Schemas</h2>
      \(schemas.map(schema).joined())
      </main></body></html>
      """
  }

  private func chapter(_ tag: String) -> String {
    #"<h2 id="\#(tag)">\#(tag)</h2>"# + operations.filter { $0.tag == tag }.map(section).joined()
  }

  private func section(_ described: DescribedOperation) -> String {
    let operation = described.operation
    let method = described.method.rawValue
    var html = """
      <section id="\(described.name)"><h3><code class="\(method.lowercased())">\(method)</code>
      <code>\(HTML.escape(described.path))</code></h3><p>\(HTML.prose(operation.summary + ". " + operation.details))</p>
      """
    html += parameters(described)
    if let body = operation.body {
      html += """
        <h4>Body</h4><p><code>\(body.mediaType)</code>\(body.isRequired ? "" : ", optional"):
        \(SchemaText.html(body.schema.json))</p>
        """
    }
    return html + responses(described) + "</section>"
  }

  private func parameters(_ described: DescribedOperation) -> String {
    var rows = described.pathParameters.map { row($0.name, "path", $0.schema, "", true) }
    rows += described.operation.query.map { row($0.name, "query", $0.schema, $0.description, $0.isRequired) }
    rows += described.operation.headers.map { row($0.name, "header", $0.schema, $0.description, $0.isRequired) }
    if described.isIdempotent {
      rows.append(row(IdempotencyGate.header, "header", .string, "Makes repetitions harmless.", false))
    }
    return rows.isEmpty ? "" : "<h4>Parameters</h4><table>\(rows.joined())</table>"
  }

  private func row(_ name: String, _ place: String, _ schema: Schema, _ text: String, _ isRequired: Bool) -> String {
    """
    <tr><td><code>\(HTML.escape(name))</code></td><td>\(place)\(isRequired ? ", required" : "")</td>
    <td>\(SchemaText.html(schema.json)) \(HTML.prose(text))</td></tr>
    """
  }

  private func responses(_ described: DescribedOperation) -> String {
    let answers = described.operation.answers.map { answer in
      let body = answer.mediaType.map {
        $0 == "application/json" ? SchemaText.html(answer.schema.json) : "<code>\($0)</code>"
      }
      return "<tr><td>\(answer.status)</td><td>\(HTML.prose(answer.description))</td><td>\(body ?? "")</td></tr>"
    }
    let problems = described.problems.map { status, kinds in
      let names = kinds.map { "<code>\($0.rawValue)</code>" }.joined(separator: ", ")
      return #"<tr class="problem"><td>\#(status)</td><td colspan="2">\#(names)</td></tr>"#
    }
    return "<h4>Answers</h4><table>\((answers + problems).joined())</table>"
  }

  private func schema(_ name: String, _ json: JSONValue) -> String {
    #"<section id="schema-\#(name)"><h3><code>\#(name)</code></h3>\#(SchemaText.html(json))</section>"#
  }
}

/// A schema in words and lists.
enum SchemaText {
  static func html(_ schema: JSONValue) -> String {
    let description = schema["description"]?.stringValue.map { " " + HTML.prose($0) } ?? ""
    if let reference = schema["$ref"]?.stringValue {
      let name = HTML.escape(String(reference.split(separator: "/").last ?? ""))
      return ##"<a href="#schema-\##(name)">\##(name)</a>\##(description)"##
    }
    if let choices = (schema["anyOf"] ?? schema["oneOf"])?.arrayValue {
      return "one of:\(description)<ul>\(choices.map { "<li>\(html($0))</li>" }.joined())</ul>"
    }
    if let members = schema["properties"]?.objectValue, !members.isEmpty {
      return description + object(members, required: schema["required"]?.arrayValue ?? [])
    }
    if let elements = schema["items"] { return "array\(bounds(schema)) of \(html(elements))\(description)" }
    if let values = schema["additionalProperties"], values.objectValue != nil {
      return "object with any names, values: \(html(values))\(description)"
    }
    return scalar(schema) + description
  }

  private static func object(_ members: JSONObject, required: [JSONValue]) -> String {
    let rows = members.map { name, schema in
      let mark = required.contains(.string(name)) ? "" : "?"
      return "<tr><td><code>\(HTML.escape(name))</code>\(mark)</td><td>\(html(schema))</td></tr>"
    }
    return "<table>\(rows.joined())</table>"
  }

  private static func scalar(_ schema: JSONValue) -> String {
    if let value = schema["const"] { return code(value) }
    if let choices = schema["enum"]?.arrayValue { return choices.map(code).joined(separator: ", ") }
    let names = schema["type"]?.arrayValue?.compactMap(\.stringValue) ?? [schema["type"]?.stringValue ?? "anything"]
    var text = names.joined(separator: " or ") + bounds(schema)
    if let format = schema["format"]?.stringValue { text += ", \(HTML.escape(format))" }
    if let value = schema["default"] { text += ", default \(code(value))" }
    if let example = schema["examples"]?[0] { text += ", such as \(code(example))" }
    return text
  }

  private static func bounds(_ schema: JSONValue) -> String {
    for (low, high, unit) in [
      ("minimum", "maximum", ""), ("minLength", "maxLength", " characters"), ("minItems", "maxItems", " elements"),
    ] {
      switch (schema[low], schema[high]) {
      case (let low?, let high?): return ", \(low.encodedString()) to \(high.encodedString())\(unit)"
      case (let low?, nil): return ", at least \(low.encodedString())\(unit)"
      case (nil, let high?): return ", at most \(high.encodedString())\(unit)"
      case (nil, nil): continue
      }
    }
    return ""
  }

  private static func code(_ value: JSONValue) -> String {
    "<code>\(HTML.escape(value.stringValue ?? value.encodedString()))</code>"
  }
}

enum HTML {
  static func escape(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
      .replacing("\"", with: "&quot;")
  }

  /// Text with `code` between backticks.
  static func prose(_ text: String) -> String {
    escape(text).split(separator: "`", omittingEmptySubsequences: false).enumerated()
      .map { index, part in index % 2 == 1 ? "<code>\(part)</code>" : String(part) }.joined()
  }
}
