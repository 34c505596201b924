import CivilTime
import JSON

/// A rule that came from another notation.
public struct ConvertedRule: Sendable, Equatable {
  public let rule: Rule
  /// Where the rule's words now mean something that its author may not expect, each with its path.
  public let notes: [String]
}

/// Reads the rules of other tools: react-querybuilder's JSON, with one combinator a group or with combinators between the
/// rules, and this language's older shape, whose conditions lack a `type`.
///
/// What has no equal here is refused by name; nothing is left out that could change the audience.
public struct RuleConverter {
  var decoder = RuleDecoder()
  var notes: [String] = []
  let zone: CalendarZone

  /// - Parameters:
  ///   - path: where the query stands in the request.
  ///   - zone: in which times without a zone are read, as date editors write them.
  /// - Throws: every problem, with paths such as `query.rules[2].operator`.
  public static func convert(
    _ query: JSONValue, path: String = "query", zone: CalendarZone = .utc
  ) throws(RuleError) -> ConvertedRule {
    var converter = RuleConverter(zone: zone)
    let rule = converter.rule(query, path, depth: 0)
    guard let rule, converter.decoder.problems.isEmpty else { throw RuleError(converter.decoder.problems) }
    // Complements nest the rule deeper than the query; whatever leaves here is a rule that is accepted everywhere.
    _ = try Rule.decode(rule.json(), path: path)
    return ConvertedRule(rule: rule, notes: converter.notes)
  }

  mutating func rule(_ json: JSONValue, _ path: String, depth: Int) -> Rule? {
    guard case .object(let object) = json else {
      decoder.report(path, .invalidType, "expected a rule or a group (an object), got \(json.shown)")
      return nil
    }
    guard depth <= RuleLimits.depth else {
      decoder.report(path, .tooDeep, "groups nest at most \(RuleLimits.depth) deep")
      return nil
    }
    if object["rules"] != nil || object["combinator"] != nil { return queryGroup(object, path, depth: depth) }
    if object["op"] != nil || object["children"] != nil { return olderGroup(object, path, depth: depth) }
    // With a type, it is this language already.
    if object["type"] != nil { return decoder.rule(json, path, depth: depth, scope: .lead) }
    guard decoder.countCondition(path) else { return nil }
    return leaf(object, path)
  }

  /// The members of a group or rule but for those without meaning; reports what cannot be converted.
  mutating func members(
    _ object: JSONObject, _ path: String, required: [String], optional: [String]
  ) -> [String: JSONValue] {
    var kept = JSONObject()
    for (key, value) in object.entries {
      switch key {
      // Of the editor's own use; `combinatorPreceding` only said where a new rule was to be put.
      case "id", "path", "disabled", "combinatorPreceding": continue
      case "muted":
        if value == .bool(false) { continue }
        decoder.report("\(path).muted", .notSupported, "muted rules are not supported: remove the rule instead")
      case "match":
        decoder.report(
          "\(path).match", .notSupported, "match (conditions over the elements of a list) is not supported")
      case "lhs":
        decoder.report("\(path).lhs", .notSupported, "expressions over fields are not supported")
      default: kept.entries.append((key, value))
      }
    }
    return decoder.members(of: kept, path, required: required, optional: optional)
  }

  // MARK: Groups

  private mutating func queryGroup(_ object: JSONObject, _ path: String, depth: Int) -> Rule? {
    let members = self.members(object, path, required: ["rules"], optional: ["combinator", "not"])
    let isNegated = flag(members["not"], "\(path).not")
    guard let rules = members["rules"] else { return nil }
    guard case .array(let elements) = rules else {
      decoder.report("\(path).rules", .invalidType, "expected an array of rules, got \(rules.shown)")
      return nil
    }
    guard !elements.isEmpty else {
      decoder.report("\(path).rules", .tooFew, "the group is empty, which would reach everybody")
      return nil
    }
    let group: Rule?
    if let combinator = members["combinator"] {
      let isAnd = self.combinator(combinator, "\(path).combinator")
      let children = self.children(elements, "\(path).rules", depth: depth)
      group = isAnd.flatMap { isAnd in children.map { isAnd ? .and($0) : .or($0) } }
    } else {
      group = independent(elements, "\(path).rules", depth: depth)
    }
    return isNegated ? group.map { .not($0) } : group
  }

  /// Rules with combinators between them: "and" binds more closely than "or".
  private mutating func independent(_ elements: [JSONValue], _ path: String, depth: Int) -> Rule? {
    guard elements.count % 2 == 1 else {
      decoder.report(
        path, .invalidValue, "expected rules with a combinator between every two, or a combinator of the group")
      return nil
    }
    var alternatives: [[Rule]] = [[]]
    var isGood = true
    for (index, element) in elements.enumerated() {
      guard !decoder.isFull else { return nil }
      if index % 2 == 1 {
        guard let isAnd = combinator(element, "\(path)[\(index)]") else {
          isGood = false
          continue
        }
        if !isAnd { alternatives.append([]) }
      } else if let rule = rule(element, "\(path)[\(index)]", depth: depth + 1) {
        alternatives[alternatives.count - 1].append(rule)
      } else {
        isGood = false
      }
    }
    guard isGood else { return nil }
    let groups = alternatives.map { $0.count == 1 ? $0[0] : .and($0) }
    return groups.count == 1 ? groups[0] : .or(groups)
  }

  private mutating func olderGroup(_ object: JSONObject, _ path: String, depth: Int) -> Rule? {
    let members = self.members(object, path, required: ["op", "children"], optional: [])
    guard let op = members["op"], let list = members["children"] else { return nil }
    guard case .array(let elements) = list, !elements.isEmpty else {
      decoder.report("\(path).children", .tooFew, "expected an array of at least one rule, got \(list.shown)")
      return nil
    }
    let children = self.children(elements, "\(path).children", depth: depth)
    switch op.stringValue {
    case "AND": return children.map { .and($0) }
    case "OR": return children.map { .or($0) }
    case "NOT":
      guard elements.count == 1 else {
        decoder.report("\(path).children", .tooMany, "NOT has exactly one child, got \(elements.count)")
        return nil
      }
      return children.map { .not($0[0]) }
    default:
      decoder.report("\(path).op", .unknownOperator, "expected AND, OR or NOT, got \(op.shown)")
      return nil
    }
  }

  private mutating func children(_ elements: [JSONValue], _ path: String, depth: Int) -> [Rule]? {
    var children: [Rule] = []
    for (index, element) in elements.enumerated() {
      guard !decoder.isFull else { return nil }
      if let child = rule(element, "\(path)[\(index)]", depth: depth + 1) { children.append(child) }
    }
    return children.count == elements.count ? children : nil
  }

  /// True for "and", false for "or".
  private mutating func combinator(_ json: JSONValue, _ path: String) -> Bool? {
    switch json.stringValue?.lowercased() {
    case "and": return true
    case "or": return false
    case "xor": decoder.report(path, .notSupported, "xor is not supported: write it with and, or, not")
    default: decoder.report(path, .invalidValue, #"expected "and" or "or", got \#(json.shown)"#)
    }
    return nil
  }

  private mutating func flag(_ json: JSONValue?, _ path: String) -> Bool {
    switch json {
    case nil, .bool(false), .null: return false
    case .bool(true): return true
    case .some(let other):
      decoder.report(path, .invalidType, "expected true or false, got \(other.shown)")
      return false
    }
  }
}
