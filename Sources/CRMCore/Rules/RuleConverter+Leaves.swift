import CivilTime
import JSON

extension RuleConverter {
  /// react-querybuilder's operators that have other names here, and whether they are the complement.
  private static let operators: [String: (RuleOperator, isComplement: Bool)] = [
    "contains": (.contains, false), "doesNotContain": (.notContains, false), "beginsWith": (.startsWith, false),
    "doesNotBeginWith": (.startsWith, true), "endsWith": (.endsWith, false), "doesNotEndWith": (.endsWith, true),
    "in": (.isIn, false), "notIn": (.notIn, false), "between": (.between, false), "notBetween": (.between, true),
  ]

  mutating func leaf(_ object: JSONObject, _ path: String) -> Rule? {
    let members = self.members(
      object, path, required: ["field", "operator"], optional: ["value", "valueSource"])
    guard reject(placeholdersIn: members, path), check(source: members["valueSource"], "\(path).valueSource") else {
      return nil
    }
    let field = members["field"].flatMap { decoder.field($0, "\(path).field", scope: .lead) }
    guard let name = members["operator"] else { return nil }
    if let presence = presence(name, members["value"], path) {
      return field.map { .condition(RuleCondition($0, .exists, .bool(presence))) }
    }
    guard let (op, isComplement) = self.operator(name, "\(path).operator"), let field else { return nil }
    guard decoder.check(op, in: RuleOperator.allowed(on: field.kind), on: field.name, "\(path).operator") else {
      return nil
    }
    guard let json = members["value"] else {
      decoder.report("\(path).value", .required, "is missing")
      return nil
    }
    guard let prepared = prepared(json, "\(path).value", for: op, on: field),
      let value = decoder.value(prepared, "\(path).value", for: op, kind: field.kind)
    else { return nil }
    note(op, on: field, path)
    let condition = Rule.condition(RuleCondition(field, op, value))
    return isComplement ? .not(condition) : condition
  }

  private mutating func `operator`(_ json: JSONValue, _ path: String) -> (RuleOperator, isComplement: Bool)? {
    if let known = json.stringValue.flatMap({ Self.operators[$0] }) { return known }
    if json == "matches" || json == "doesNotMatch" {
      decoder.report(path, .notSupported, "\(json.shown) (a regular expression) is not supported")
      return nil
    }
    return decoder.operator(json, path).map { ($0, false) }
  }

  /// `null` and `notNull`, whose value means nothing: false and true; nil for other operators.
  private mutating func presence(_ op: JSONValue, _ value: JSONValue?, _ path: String) -> Bool? {
    guard let name = op.stringValue, name == "null" || name == "notNull" else { return nil }
    if let value, !value.isNull, value != "" {
      notes.append("\(path).value: \(name) takes no value; \(value.shown) has no effect")
    }
    return name == "notNull"
  }

  /// False after reporting an editor's "nothing chosen yet".
  private mutating func reject(placeholdersIn members: [String: JSONValue], _ path: String) -> Bool {
    var isGood = true
    for key in ["field", "operator", "value"] where members[key] == "~" {
      decoder.report("\(path).\(key)", .notSupported, #""~" is a placeholder: nothing was chosen"#)
      isGood = false
    }
    return isGood
  }

  private mutating func check(source: JSONValue?, _ path: String) -> Bool {
    switch source {
    case nil, .null, "value": return true
    case "field":
      decoder.report(path, .notSupported, "a field cannot be compared with another field")
    case .some(let other):
      decoder.report(path, .notSupported, "expected value, got \(other.shown): only values can be compared with")
    }
    return false
  }

  private mutating func note(_ op: RuleOperator, on field: RuleField, _ path: String) {
    guard op == .contains || op == .notContains else { return }
    notes.append(
      field.kind == .tag
        ? "\(path): \(op.rawValue) on tags compares whole tags, in their case"
        : "\(path): \(op.rawValue) ignores case: \"PUNE\" contains \"pune\"")
  }

  // MARK: Values as editors write them

  private mutating func prepared(
    _ json: JSONValue, _ path: String, for op: RuleOperator, on field: RuleField
  ) -> JSONValue? {
    switch op {
    case .isIn, .notIn, .hasAny, .hasAll, .hasNone:
      return list(json, path).map { list in .array(list.map { scalar($0, path, on: field) }) }
    case .between:
      guard let ends = list(json, path) else { return nil }
      guard ends.count == 2, !ends.contains(where: { $0.isNull || $0 == "" }) else {
        decoder.report(path, .invalidValue, "expected a low and a high end, both filled in, got \(json.shown)")
        return nil
      }
      return .array(ends.map { scalar($0, path, on: field) })
    case .equal, .notEqual, .greater, .less, .greaterOrEqual, .lessOrEqual:
      return scalar(json, path, on: field)
    case .contains, .notContains, .startsWith, .endsWith, .exists, .isEmpty, .withinLast, .withinNext:
      return json
    }
  }

  /// An array, a comma list, or a single number. Checked for length before it is taken apart.
  private mutating func list(_ json: JSONValue, _ path: String) -> [JSONValue]? {
    switch json {
    case .array(let elements):
      guard !elements.isEmpty else { break }
      return elements
    case .string(let text):
      guard text.utf8.count <= RuleLimits.listValues * RuleLimits.stringBytes else {
        decoder.report(path, .tooLong, "the list is too long")
        return nil
      }
      let parts = Self.split(text)
      let values = parts.filter { !$0.isEmpty }
      guard !values.isEmpty else { break }
      if values.count < parts.count { notes.append("\(path): the list's empty entries have no effect") }
      return values.map { .string($0) }
    case .int, .double: return [json]
    default:
      decoder.report(path, .invalidType, "expected a list, got \(json.shown)")
      return nil
    }
    decoder.report(path, .tooFew, "the list is empty")
    return nil
  }

  /// At commas; `\,` is a comma. Trimmed.
  private static func split(_ text: String) -> [String] {
    var parts: [String] = []
    var part: [UInt8] = []
    var bytes = text.utf8.makeIterator()
    var pending = bytes.next()
    while let byte = pending {
      pending = bytes.next()
      if byte == UInt8(ascii: "\\"), pending == UInt8(ascii: ",") {
        part.append(UInt8(ascii: ","))
        pending = bytes.next()
      } else if byte == UInt8(ascii: ",") {
        parts.append(String(decoding: part, as: UTF8.self).trimmed)
        part.removeAll(keepingCapacity: true)
      } else {
        part.append(byte)
      }
    }
    return parts + [String(decoding: part, as: UTF8.self).trimmed]
  }

  /// A text becomes a number where the field is one, and a wall clock time an instant where it is a date.
  private mutating func scalar(_ json: JSONValue, _ path: String, on field: RuleField) -> JSONValue {
    if let integer = Self.bigInteger(json) { return integer }
    guard case .string(let text) = json, text.utf8.count <= RuleLimits.stringBytes else { return json }
    switch field.kind {
    case .number: return Self.number(text.trimmed) ?? json
    case .date:
      guard let instant = Self.localTime(text.trimmed, zone) else { return json }
      notes.append("\(path): \(json.shown) is read in the time zone \(zone.identifier)")
      return .string(instant.description)
    case .text, .email, .phone, .tag, .metadata: return json
    }
  }

  /// `{"$bigint": "9007199254740993"}`, as the editor exports integers that JavaScript keeps apart from numbers.
  private static func bigInteger(_ json: JSONValue) -> JSONValue? {
    guard case .object(let object) = json, object.count == 1, let digits = object["$bigint"]?.stringValue,
      digits.utf8.allSatisfy({ $0 == UInt8(ascii: "-") || isDigit($0) })
    else { return nil }
    return Int64(digits).map { .int($0) }
  }

  /// A text that is wholly a number as HTML's number input writes it: `-3`, `.5`, `007`, `1e3`.
  ///
  /// https://html.spec.whatwg.org/multipage/common-microsyntaxes.html#valid-floating-point-number
  private static func number(_ text: String) -> JSONValue? {
    var rest = text.utf8[...]
    func digits() -> Bool {
      let digits = rest.prefix(while: isDigit)
      rest = rest.dropFirst(digits.count)
      return !digits.isEmpty
    }
    if rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
    let hasWhole = digits()
    if rest.isEmpty { return hasWhole ? Int64(text).map { .int($0) } : nil }
    if rest.first == UInt8(ascii: ".") {
      rest = rest.dropFirst()
      guard digits() else { return nil }
    } else if !hasWhole {
      return nil
    }
    if let exponent = rest.first, exponent | 0x20 == UInt8(ascii: "e") {
      rest = rest.dropFirst()
      if let sign = rest.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { rest = rest.dropFirst() }
      guard digits() else { return nil }
    }
    guard rest.isEmpty, let value = Double(text), value.isFinite else { return nil }
    return .double(value)
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

  /// `2026-03-31T10:30`, as a date and time editor writes it: seconds may be missing, and the zone is.
  private static func localTime(_ text: String, _ zone: CalendarZone) -> Timestamp? {
    guard text.utf8.count >= 16, text.utf8.count <= 32 else { return nil }
    for form in [text + "Z", text + ":00Z"] {
      guard let wall = Timestamp(rfc3339: form) else { continue }
      let (date, timeOfDay) = CalendarZone.utc.local(wall.milliseconds)
      return Timestamp(milliseconds: zone.instant(date, timeOfDay: timeOfDay))
    }
    return nil
  }
}
