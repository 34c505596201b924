import CivilTime
import Crypto
import Foundation
import JSON

/// Checks a value against a schema of the served description.
///
/// It knows the keywords that the description uses, and takes one that it does not know for a failure: nothing is
/// described that is not checked. Objects are checked closed: a member that is not described is a failure, although
/// clients may expect more members in later versions.
struct SchemaChecker: Sendable {
  let document: JSONValue

  /// Keywords that say nothing about which values are valid.
  private static let annotations: Set<String> = ["description", "examples", "default", "title"]
  private static let known: Set<String> = annotations.union([
    "$ref", "type", "const", "enum", "anyOf", "oneOf", "not", "required", "properties", "additionalProperties",
    "propertyNames", "maxProperties", "items", "minItems", "maxItems", "minLength", "maxLength", "pattern", "format",
    "minimum", "maximum",
  ])

  /// Everything in which the value is not as described; `path` leads to it.
  func violations(_ value: JSONValue, _ schema: JSONValue, _ path: String = "$") -> [String] {
    guard let keywords = schema.objectValue else { return ["\(path): no schema"] }
    var found = keywords.keys.filter { !Self.known.contains($0) }.map { "\(path): keyword \($0) is not checked" }
    if let reference = keywords["$ref"]?.stringValue {
      guard let target = resolve(reference) else { return found + ["\(path): \(reference) leads nowhere"] }
      found += violations(value, target, path)
    }
    if let types = keywords["type"], !Self.matches(value, types) {
      return found + ["\(path): \(types.encodedString()) is described, not \(value.typeName)"]
    }
    if let constant = keywords["const"], constant != value { found.append("\(path): not \(constant.encodedString())") }
    if let choices = keywords["enum"]?.arrayValue, !choices.contains(value) {
      found.append("\(path): \(value.encodedString()) is none of \(JSONValue.array(choices).encodedString())")
    }
    found += choices(value, keywords, path)
    switch value {
    case .object(let object): found += members(object, keywords, path)
    case .array(let elements): found += self.elements(elements, keywords, path)
    case .string(let text): found += Self.text(text, keywords, path)
    case .int, .double: found += Self.number(value.doubleValue ?? 0, keywords, path)
    case .null, .bool: break
    }
    return found
  }

  /// What `#/components/schemas/Lead` leads to.
  func resolve(_ reference: String) -> JSONValue? {
    reference.split(separator: "/").dropFirst().reduce(document as JSONValue?) { $0?[String($1)] }
  }

  private func choices(_ value: JSONValue, _ keywords: JSONObject, _ path: String) -> [String] {
    var found: [String] = []
    for (keyword, isExact) in [("anyOf", false), ("oneOf", true)] {
      guard let choices = keywords[keyword]?.arrayValue else { continue }
      let failures = choices.map { violations(value, $0, path) }
      let fitting = failures.count { $0.isEmpty }
      if fitting == 0 { found.append("\(path): no choice fits: \(failures)") }
      if isExact, fitting > 1 { found.append("\(path): \(fitting) choices fit, not one") }
    }
    if let excluded = keywords["not"], violations(value, excluded, path).isEmpty {
      found.append("\(path): is what must not be")
    }
    return found
  }

  private func members(_ object: JSONObject, _ keywords: JSONObject, _ path: String) -> [String] {
    var found: [String] = []
    for name in keywords["required"]?.arrayValue?.compactMap(\.stringValue) ?? [] where object[name] == nil {
      found.append("\(path).\(name): is missing")
    }
    if let limit = keywords["maxProperties"]?.intValue, object.count > limit {
      found.append("\(path): too many members")
    }
    let described = keywords["properties"]
    let others = keywords["additionalProperties"]
    for (name, value) in object {
      if let names = keywords["propertyNames"] { found += violations(.string(name), names, "\(path).\(name) (name)") }
      if let schema = described?[name] {
        found += violations(value, schema, "\(path).\(name)")
      } else if let others, others.objectValue != nil {
        found += violations(value, others, "\(path).\(name)")
      } else if described != nil || others == false {
        found.append("\(path).\(name): is not described")
      }
    }
    return found
  }

  private func elements(_ elements: [JSONValue], _ keywords: JSONObject, _ path: String) -> [String] {
    var found: [String] = []
    if let least = keywords["minItems"]?.intValue, elements.count < least { found.append("\(path): too few elements") }
    if let most = keywords["maxItems"]?.intValue, elements.count > most { found.append("\(path): too many elements") }
    if let schema = keywords["items"] {
      for (index, element) in elements.enumerated() { found += violations(element, schema, "\(path)[\(index)]") }
    }
    return found
  }

  private static func text(_ text: String, _ keywords: JSONObject, _ path: String) -> [String] {
    var found: [String] = []
    let length = Int64(text.unicodeScalars.count)
    if let least = keywords["minLength"]?.intValue, length < least { found.append("\(path): too short") }
    if let most = keywords["maxLength"]?.intValue, length > most { found.append("\(path): too long") }
    if let pattern = keywords["pattern"]?.stringValue,
      text.range(of: pattern, options: .regularExpression) == nil
    {
      found.append("\(path): \(text) does not match \(pattern)")
    }
    switch keywords["format"]?.stringValue {
    case "date-time" where Timestamp(rfc3339: text) == nil: found.append("\(path): \(text) is no time")
    case "uuid" where UUIDBytes(text) == nil: found.append("\(path): \(text) is no UUID")
    default: break
    }
    return found
  }

  private static func number(_ number: Double, _ keywords: JSONObject, _ path: String) -> [String] {
    var found: [String] = []
    if let least = keywords["minimum"]?.doubleValue, number < least { found.append("\(path): \(number) is too small") }
    if let most = keywords["maximum"]?.doubleValue, number > most { found.append("\(path): \(number) is too large") }
    return found
  }

  private static func matches(_ value: JSONValue, _ types: JSONValue) -> Bool {
    let names = types.arrayValue?.compactMap(\.stringValue) ?? [types.stringValue ?? ""]
    return names.contains { name in
      switch (name, value) {
      case ("number", .int), (value.typeName, _): true
      default: false
      }
    }
  }
}
