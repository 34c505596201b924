import JSON

/// A JSON Schema (draft 2020-12, the dialect of OpenAPI 3.1) as a value, together with the named schemas it refers to.
///
/// ```swift
/// static let item = Schema.named("OrderItem", .closedObject([.required("sku", .text(1...100)), …]))
/// ```
struct Schema: Sendable {
  private(set) var keywords: JSONObject
  /// The definitions that references in `keywords` need, by name; those of its parts among them.
  private(set) var definitions: [String: JSONValue]

  /// - Parameter parts: the schemas that stand somewhere within `keywords`.
  init(_ keywords: JSONObject, of parts: [Schema] = []) {
    self.keywords = keywords
    definitions = parts.reduce(into: [:]) { $0.merge($1.definitions) { known, _ in known } }
  }

  var json: JSONValue { .object(keywords) }

  /// Makes a schema a component of the document; the result refers to it.
  static func named(_ name: String, _ schema: Schema) -> Schema {
    var reference = Schema.reference(to: name)
    reference.definitions = schema.definitions
    reference.definitions[name] = schema.json
    return reference
  }

  /// Refers to a component that something else defines: for components that contain themselves.
  static func reference(to name: String) -> Schema { Schema(["$ref": .string("#/components/schemas/\(name)")]) }

  /// The schema with a sentence for readers.
  func described(_ description: String) -> Schema { with("description", .string(description)) }

  func example(_ value: JSONValue) -> Schema { with("examples", [value]) }

  func defaulting(to value: JSONValue) -> Schema { with("default", value) }

  func with(_ keyword: String, _ value: JSONValue) -> Schema {
    var schema = self
    schema.keywords[keyword] = value
    return schema
  }
}

// MARK: - Scalars

extension Schema {
  static let anything = Schema([:])
  static let boolean = Schema(["type": "boolean"])
  static let string = Schema(["type": "string"])
  static let integer = Schema(["type": "integer"])
  static let number = Schema(["type": "number"])
  static let null = Schema(["type": "null"])

  /// - Parameter length: in code points.
  static func string(_ length: ClosedRange<Int>, pattern: String? = nil) -> Schema {
    var keywords: JSONObject = ["type": "string"]
    if length.lowerBound > 0 { keywords["minLength"] = .int(Int64(length.lowerBound)) }
    keywords["maxLength"] = .int(Int64(length.upperBound))
    if let pattern { keywords["pattern"] = .string(pattern) }
    return Schema(keywords)
  }

  static func string(pattern: String) -> Schema { Schema(["type": "string", "pattern": .string(pattern)]) }

  static func string(format: String) -> Schema { Schema(["type": "string", "format": .string(format)]) }

  /// Text that is trimmed of white space at both ends, and of which something must be left.
  static func text(_ length: ClosedRange<Int>) -> Schema { string(length, pattern: "[^\(whiteSpace)]") }

  /// The same, without the character NUL.
  static func searchableText(_ length: ClosedRange<Int>) -> Schema {
    string(length, pattern: #"^[^\u0000]*[^\u0000\#(whiteSpace)][^\u0000]*$"#)
  }

  /// Any text without the character NUL, which no parameter can hold.
  static func plain(_ length: ClosedRange<Int>) -> Schema { string(length, pattern: #"^[^\u0000]*$"#) }

  /// Unicode's white space, within brackets.
  private static let whiteSpace =
    #"\u0009-\u000d \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"#

  static func integer(in range: ClosedRange<Int64>) -> Schema {
    Schema(["type": "integer", "minimum": .int(range.lowerBound), "maximum": .int(range.upperBound)])
  }

  /// An integer from 0: a counter.
  static let count = Schema(["type": "integer", "minimum": 0])

  static func number(in range: ClosedRange<Double>) -> Schema {
    Schema(["type": "number", "minimum": bound(range.lowerBound), "maximum": bound(range.upperBound)])
  }

  private static func bound(_ value: Double) -> JSONValue { Int64(exactly: value).map(JSONValue.int) ?? .double(value) }

  /// One text and no other.
  static func constant(_ text: String) -> Schema { Schema(["type": "string", "const": .string(text)]) }

  static func choice(_ texts: [String]) -> Schema {
    Schema(["type": "string", "enum": .array(texts.map(JSONValue.string))])
  }

  static func choice<Choice: RawRepresentable<String> & CaseIterable>(of: Choice.Type) -> Schema {
    choice(Choice.allCases.map(\.rawValue))
  }
}

// MARK: - Containers

extension Schema {
  /// A member of an object.
  struct Member: Sendable {
    let name: String
    let schema: Schema
    let isRequired: Bool

    static func required(_ name: String, _ schema: Schema) -> Member {
      Member(name: name, schema: schema, isRequired: true)
    }

    static func optional(_ name: String, _ schema: Schema) -> Member {
      Member(name: name, schema: schema, isRequired: false)
    }
  }

  /// An object of an answer. More members may come with later versions; readers pass over what they do not know.
  static func object(_ members: [Member]) -> Schema {
    var keywords: JSONObject = ["type": "object"]
    let required = members.filter(\.isRequired).map { JSONValue.string($0.name) }
    if !required.isEmpty { keywords["required"] = .array(required) }
    keywords["properties"] = .object(JSONObject(members.map { (key: $0.name, value: $0.schema.json) }))
    return Schema(keywords, of: members.map(\.schema))
  }

  /// An object of a request: a member that is not listed is refused.
  static func closedObject(_ members: [Member]) -> Schema { object(members).with("additionalProperties", false) }

  /// An object with members of any name.
  ///
  /// - Parameter names: what the names are like.
  static func map(of values: Schema, names: Schema? = nil) -> Schema {
    var keywords: JSONObject = ["type": "object", "additionalProperties": values.json]
    if let names { keywords["propertyNames"] = names.json }
    return Schema(keywords, of: [values])
  }

  static func array(of elements: Schema, count: ClosedRange<Int>? = nil) -> Schema {
    var keywords: JSONObject = ["type": "array", "items": elements.json]
    if let count {
      if count.lowerBound > 0 { keywords["minItems"] = .int(Int64(count.lowerBound)) }
      keywords["maxItems"] = .int(Int64(count.upperBound))
    }
    return Schema(keywords, of: [elements])
  }

  static func anyOf(_ choices: [Schema]) -> Schema { Schema(["anyOf": .array(choices.map(\.json))], of: choices) }

  /// Exactly one of the choices.
  static func oneOf(_ choices: [Schema]) -> Schema { Schema(["oneOf": .array(choices.map(\.json))], of: choices) }

  /// The schema, or null.
  static func nullable(_ schema: Schema) -> Schema {
    guard let type = schema.keywords["type"]?.stringValue, schema.keywords["const"] == nil else {
      return anyOf([schema, null])
    }
    var nullable = schema.with("type", [.string(type), "null"])
    if let choices = schema.keywords["enum"]?.arrayValue { nullable.keywords["enum"] = .array(choices + [nil]) }
    return nullable
  }
}
