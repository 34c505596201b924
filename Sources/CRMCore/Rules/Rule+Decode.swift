import BSON
import JSON

extension Rule {
  /// Reads a rule strictly: whatever is not understood is an error, and nothing is left out or coerced.
  ///
  /// Time and memory are bounded by the limits, whatever the JSON holds.
  /// - Parameter path: where the rule stands in the request, for the problems' paths.
  /// - Throws: every problem of the rule, up to `RuleLimits.problems`.
  public static func decode(_ json: JSONValue, path: String = "rule_ast") throws(RuleError) -> Rule {
    var decoder = RuleDecoder()
    let rule = decoder.rule(json, path, depth: 0, scope: .lead)
    guard let rule, decoder.problems.isEmpty else { throw RuleError(decoder.problems) }
    return rule
  }
}

/// Reads rules and collects every problem. What it returns counts only when there is none.
struct RuleDecoder {
  private(set) var problems: [RuleProblem] = []
  private var conditions = 0

  /// Enough problems are known, or too many conditions: nothing more is read.
  private(set) var isFull = false

  mutating func report(_ path: String, _ code: RuleProblem.Code, _ message: String) {
    guard !isFull else { return }
    problems.append(RuleProblem(path: path, code: code, message: message))
    if problems.count == RuleLimits.problems - 1 {
      problems.append(RuleProblem(path: path, code: .tooMany, message: "there are more problems than are listed"))
      isFull = true
    }
  }

  mutating func rule(_ json: JSONValue, _ path: String, depth: Int, scope: RuleField.Scope) -> Rule? {
    guard case .object(let object) = json else {
      report(path, .invalidType, "expected a rule (an object), got \(json.shown)")
      return nil
    }
    if let op = object["op"] { return group(op, object, path, depth: depth, scope: scope) }
    guard let type = object["type"] else {
      report(
        path, .required,
        #"expected a group with "op" and "children", or a condition with "type": "condition", "field", "operator", "value""#
      )
      return nil
    }
    guard countCondition(path) else { return nil }
    switch (type.stringValue, scope) {
    case ("condition", _): return condition(object, path, scope: scope)
    case ("orders", .lead): return orders(object, path, depth: depth)
    case ("campaign", .lead): return campaign(object, path)
    case ("segment", .lead): return segment(object, path)
    case (_, .lead):
      report("\(path).type", .invalidValue, "expected condition, orders, campaign or segment, got \(type.shown)")
    case (_, .order):
      report("\(path).type", .invalidValue, #"expected "condition" (over a field of an order), got \#(type.shown)"#)
    }
    return nil
  }

  /// False when there are too many.
  mutating func countCondition(_ path: String) -> Bool {
    guard !isFull else { return false }
    conditions += 1
    guard conditions > RuleLimits.conditions else { return true }
    report(
      path, .tooMany, "a rule has at most \(RuleLimits.conditions) conditions; this one and what follows are too many")
    isFull = true
    return false
  }

  private mutating func group(
    _ op: JSONValue, _ object: JSONObject, _ path: String, depth: Int, scope: RuleField.Scope
  ) -> Rule? {
    guard depth < RuleLimits.depth else {
      report(path, .tooDeep, "groups nest at most \(RuleLimits.depth) deep")
      return nil
    }
    let members = self.members(of: object, path, required: ["op", "children"])
    let name = op.stringValue
    if name != "AND", name != "OR", name != "NOT" {
      report("\(path).op", .unknownOperator, "expected AND, OR or NOT, got \(op.shown)")
    }
    guard let childrenJSON = members["children"] else { return nil }
    guard case .array(let elements) = childrenJSON else {
      report("\(path).children", .invalidType, "expected an array of rules, got \(childrenJSON.shown)")
      return nil
    }
    if elements.isEmpty {
      report("\(path).children", .tooFew, "a group has at least one child")
    } else if name == "NOT", elements.count > 1 {
      report("\(path).children", .tooMany, "NOT has exactly one child, got \(elements.count)")
    }
    var children: [Rule] = []
    for (index, element) in elements.enumerated() {
      guard !isFull else { return nil }
      if let child = rule(element, "\(path).children[\(index)]", depth: depth + 1, scope: scope) {
        children.append(child)
      }
    }
    guard let first = children.first, children.count == elements.count else { return nil }
    switch name {
    case "AND": return .and(children)
    case "OR": return .or(children)
    case "NOT": return .not(first)
    default: return nil
    }
  }

  private mutating func condition(_ object: JSONObject, _ path: String, scope: RuleField.Scope) -> Rule? {
    let members = self.members(of: object, path, required: ["type", "field", "operator", "value"])
    let field = members["field"].flatMap { self.field($0, "\(path).field", scope: scope) }
    let op = members["operator"].flatMap { self.operator($0, "\(path).operator") }
    guard let field, let op else { return nil }
    guard check(op, in: RuleOperator.allowed(on: field.kind), on: field.name, "\(path).operator"),
      let json = members["value"],
      let value = value(json, "\(path).value", for: op, kind: field.kind)
    else { return nil }
    return .condition(RuleCondition(field, op, value))
  }

  mutating func field(_ json: JSONValue, _ path: String, scope: RuleField.Scope) -> RuleField? {
    guard case .string(let name) = json else {
      report(path, .invalidType, "expected a field's name, got \(json.shown)")
      return nil
    }
    if let field = RuleField(name, scope: scope) { return field }
    let hint =
      name.utf8.starts(with: "metadata".utf8)
      ? "metadata takes 1 to \(Metadata.deepestKey) keys of A-Z a-z 0-9 _ - (1 to 64 each, not digits only)"
      : "expected one of \(RuleField.choices(scope))"
    report(path, .invalidField, "unknown field \(json.shown); \(hint)")
    return nil
  }

  mutating func `operator`(_ json: JSONValue, _ path: String) -> RuleOperator? {
    if let op = json.stringValue.flatMap(RuleOperator.init(rawValue:)) { return op }
    let choices = RuleOperator.allCases.map(\.rawValue).joined(separator: ", ")
    report(path, .unknownOperator, "unknown operator \(json.shown); expected one of \(choices)")
    return nil
  }

  mutating func check(_ op: RuleOperator, in allowed: [RuleOperator], on name: String, _ path: String) -> Bool {
    if allowed.contains(op) { return true }
    let choices = allowed.map(\.rawValue).joined(separator: ", ")
    report(path, .operatorNotAllowed, "\(op.rawValue) cannot be used on \(name); expected one of \(choices)")
    return false
  }

  /// The known members of an object; reports those that are missing, unknown or given twice.
  mutating func members(
    of object: JSONObject, _ path: String, required: [String], optional: [String] = []
  ) -> [String: JSONValue] {
    var members: [String: JSONValue] = [:]
    for (key, value) in object.entries {
      guard !isFull else { return members }
      if !required.contains(key), !optional.contains(key) {
        let known = (required + optional).joined(separator: ", ")
        report(
          "\(path).\(key.clipped(60))", .unknownKey, "unknown key \(JSONValue.string(key).shown); expected \(known)")
      } else if members.updateValue(value, forKey: key) != nil {
        report("\(path).\(key)", .duplicate, "is given twice")
      }
    }
    for key in required where members[key] == nil { report("\(path).\(key)", .required, "is missing") }
    return members
  }
}

extension JSONValue {
  /// What a value is, short enough for a message: `"35"`, `null`, `an array`.
  var shown: String {
    switch self {
    case .array: "an array"
    case .object: "an object"
    case .double(let value) where !value.isFinite: "a number that is not finite"
    case .string(let text): JSONValue.string(text.clipped(60)).encodedString()
    default: encodedString()
    }
  }
}

extension String {
  /// At most so many code points, with an ellipsis where there were more.
  func clipped(_ count: Int) -> String {
    guard utf8.count > count, let end = unicodeScalars.index(startIndex, offsetBy: count, limitedBy: endIndex),
      end < endIndex
    else { return self }
    return String(unicodeScalars[..<end]) + "…"
  }
}
