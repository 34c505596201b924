import BSON
import CRMCore
import CivilTime
import JSON

/// What random rules and leads have reached, so that a generator that has gone blind is noticed.
struct RuleCoverage {
  /// Operator and kind of field, of rules of one condition, and whether a lead fulfilled it or not.
  private var outcomes: [Pair: Set<Bool>] = [:]
  private var depths: Set<Int> = []
  private var groups: Set<String> = []
  private var moments: Set<String> = []
  private var zones: Set<String> = []
  /// Which kinds of value stood in each field.
  private var values: [String: Set<Value>] = [:]
  private var textsInRules: Set<Text> = []
  private var textsInLeads: Set<Text> = []

  struct Pair: Hashable {
    let op: String
    let kind: String
  }

  private enum Value: Hashable, CaseIterable {
    case missing, null, empty, ofItsKind, ofAnotherKind
  }

  private enum Text: Hashable, CaseIterable {
    case composed, decomposed, sharpS, astral
  }

  // MARK: Noting

  mutating func note(rule: JSONValue, now: Timestamp, zone: CalendarZone, wanted: UInt64, leads: Int) {
    moments.insert(now.description)
    zones.insert(zone.identifier)
    depths.insert(walk(rule))
    guard let op = rule["operator"]?.stringValue, let field = rule["field"]?.stringValue else { return }
    let pair = Pair(op: op, kind: Self.kind(of: field))
    if wanted != 0 { outcomes[pair, default: []].insert(true) }
    if wanted.nonzeroBitCount < leads { outcomes[pair, default: []].insert(false) }
  }

  /// The depth of a rule.
  private mutating func walk(_ rule: JSONValue) -> Int {
    if let op = rule["op"]?.stringValue {
      groups.insert(op)
      return 1 + ((rule["children"]?.arrayValue ?? []).map { walk($0) }.max() ?? 0)
    }
    for value in rule["value"]?.arrayValue ?? [rule["value"] ?? .null] {
      if let text = value.stringValue { textsInRules.formUnion(Self.peculiarities(of: text)) }
    }
    return 0
  }

  mutating func note(lead: BSONDocument) {
    for (field, isOfKind) in Self.stored {
      let value = lead[path: field]
      values[field, default: []].insert(Self.classify(value, isOfKind))
      for text in value?.arrayValue ?? [value ?? .null] {
        if let text = text.stringValue { textsInLeads.formUnion(Self.peculiarities(of: text)) }
      }
    }
  }

  private static func classify(_ value: BSONValue?, _ isOfKind: (BSONValue) -> Bool) -> Value {
    guard let value else { return .missing }
    switch value {
    case .null: return .null
    case .string(""), .array([]), .document([:]): return .empty
    default: return isOfKind(value) ? .ofItsKind : .ofAnotherKind
    }
  }

  private static func peculiarities(of text: String) -> Set<Text> {
    var found: Set<Text> = []
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\u{E9}": found.insert(.composed)
      case "\u{301}": found.insert(.decomposed)
      case "\u{DF}": found.insert(.sharpS)
      case "\u{10000}"...: found.insert(.astral)
      default: break
      }
    }
    return found
  }

  // MARK: What there is to reach

  private static func kind(of field: String) -> String {
    switch field {
    case "name": "text"
    case "emails", "phones", "tags": field
    case "total_spend", "visits": "number"
    default: field.hasPrefix("metadata.") ? "metadata" : "date"
    }
  }

  private static let operators: [String: String] = [
    "text": "= != IN NOT_IN CONTAINS NOT_CONTAINS STARTS_WITH ENDS_WITH EXISTS IS_EMPTY",
    "emails": "= != IN NOT_IN CONTAINS NOT_CONTAINS STARTS_WITH ENDS_WITH EXISTS IS_EMPTY",
    "phones": "= != IN NOT_IN CONTAINS NOT_CONTAINS STARTS_WITH ENDS_WITH EXISTS IS_EMPTY",
    "tags": "= != IN NOT_IN CONTAINS NOT_CONTAINS HAS_ANY HAS_ALL HAS_NONE EXISTS IS_EMPTY",
    "number": "= != > < >= <= IN NOT_IN BETWEEN EXISTS IS_EMPTY",
    "date": "= != > < >= <= IN NOT_IN BETWEEN EXISTS IS_EMPTY WITHIN_LAST WITHIN_NEXT",
    "metadata":
      "= != > < >= <= IN NOT_IN BETWEEN CONTAINS NOT_CONTAINS STARTS_WITH ENDS_WITH EXISTS IS_EMPTY",
  ]

  private static let pairs = operators.flatMap { kind, operators in
    operators.split(separator: " ").map { Pair(op: String($0), kind: kind) }
  }

  /// Fields of leads, and whether a value is of the kind that belongs there.
  private static let stored: [String: @Sendable (BSONValue) -> Bool] = [
    "name": { $0.stringValue != nil }, "emails": { $0.arrayValue != nil }, "phones": { $0.arrayValue != nil },
    "tags": { $0.arrayValue != nil }, "total_spend": { $0.doubleValue != nil }, "visits": { $0.doubleValue != nil },
    "last_order_at": { $0.dateMilliseconds != nil }, "created_at": { $0.dateMilliseconds != nil },
    "updated_at": { $0.dateMilliseconds != nil }, "opted_out": { $0.documentValue != nil },
    "metadata": { $0.documentValue != nil },
    // Metadata may hold numbers, booleans and texts as well as arrays and objects.
    "metadata.a": { $0.documentValue == nil && $0.arrayValue == nil }, "metadata.list": { $0.arrayValue != nil },
  ]

  /// What was not reached, in words; empty when everything was.
  var missing: [String] {
    var missing = Self.pairs.filter { outcomes[$0]?.count != 2 }.map { "\($0.op) on \($0.kind), holding and failing" }
    missing += (0...6).filter { !depths.contains($0) }.map { "depth \($0)" }
    missing += ["AND", "OR", "NOT"].filter { !groups.contains($0) }
    missing += RuleGenerator.nows.filter { !moments.contains($0) }
    missing += RuleGenerator.zones.filter { !zones.contains($0) }
    for field in Self.stored.keys {
      missing += Value.allCases.filter { values[field]?.contains($0) != true }.map { "\(field) \($0)" }
    }
    missing += Text.allCases.filter { !textsInRules.contains($0) }.map { "\($0) text in rules" }
    missing += Text.allCases.filter { !textsInLeads.contains($0) }.map { "\($0) text in leads" }
    return missing.sorted()
  }

  var summary: String {
    let reached = Self.pairs.count { outcomes[$0]?.count == 2 }
    return "operators on kinds of fields, holding and failing: \(reached) of \(Self.pairs.count); "
      + "depths \(depths.min() ?? 0) to \(depths.max() ?? 0); "
      + "kinds of values in fields: \(values.values.map(\.count).reduce(0, +)) of \(Self.stored.count * Value.allCases.count)"
  }
}
