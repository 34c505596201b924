import JSON

extension RuleDecoder {
  /// The value of a condition, typed by its field's kind and its operator.
  mutating func value(
    _ json: JSONValue, _ path: String, for op: RuleOperator, kind: RuleField.Kind
  ) -> RuleValue? {
    switch op {
    case .equal, .notEqual:
      return json.isNull ? .null : scalar(json, path, kind)
    case .greater, .less, .greaterOrEqual, .lessOrEqual:
      return ordered(json, path, kind)
    case .isIn, .notIn, .hasAny, .hasAll, .hasNone:
      return list(json, path, kind).map { .list($0) }
    case .contains, .notContains, .startsWith, .endsWith:
      return needle(json, path, kind)
    case .between:
      return range(json, path, kind)
    case .exists, .isEmpty:
      guard case .bool(let flag) = json else { return expected("true or false", json, path) }
      return .bool(flag)
    case .withinLast, .withinNext:
      return span(json, path).map { .span($0) }
    }
  }

  /// `30 days`.
  mutating func span(_ json: JSONValue, _ path: String) -> RuleSpan? {
    guard case .string(let text) = json else {
      report(path, .invalidType, #"expected a length of time such as "30 days", got \#(json.shown)"#)
      return nil
    }
    if let span = RuleSpan(text) { return span }
    report(
      path, .invalidValue,
      #"expected a length of time such as "30 days" (1 or more minutes, hours, days, weeks, months, years), got \#(json.shown)"#
    )
    return nil
  }

  private mutating func scalar(_ json: JSONValue, _ path: String, _ kind: RuleField.Kind) -> RuleValue? {
    switch kind {
    case .text, .email, .phone, .tag:
      guard case .string(let string) = json else { return expected("a string", json, path) }
      return text(string, path, kind).map { .text($0) }
    case .number:
      return number(json, path).map { .number($0) }
    case .date:
      return date(json, path).map { .date($0) }
    case .metadata:
      return metadata(json, path)
    }
  }

  private mutating func metadata(_ json: JSONValue, _ path: String) -> RuleValue? {
    switch json {
    case .bool(let flag): return .bool(flag)
    case .int, .double: return number(json, path).map { .number($0) }
    case .string(let string):
      // Compared as text, "7 days ago" would choose an audience that nobody meant.
      guard RuleDate(relative: string) == nil else {
        report(
          path, .invalidValue,
          "\(json.shown) is a date word, and metadata holds no dates: write an ISO date, which is compared as text")
        return nil
      }
      return text(string, path, .metadata).map { .text($0) }
    case .null, .array, .object: return expected("a string, number or boolean", json, path)
    }
  }

  /// A scalar that has an order.
  private mutating func ordered(_ json: JSONValue, _ path: String, _ kind: RuleField.Kind) -> RuleValue? {
    if kind == .metadata, case .bool = json {
      report(path, .invalidType, "booleans have no order: expected a number or a string, got \(json.shown)")
      return nil
    }
    return scalar(json, path, kind)
  }

  private mutating func number(_ json: JSONValue, _ path: String) -> RuleNumber? {
    switch json {
    case .int(let value): return .int(value)
    case .double(let value) where value.isFinite: return .double(value)
    default:
      report(path, .invalidType, "expected a number, got \(json.shown)")
      return nil
    }
  }

  private mutating func date(_ json: JSONValue, _ path: String) -> RuleDate? {
    let forms =
      #"an RFC 3339 time with zone, a day YYYY-MM-DD, or words such as now, today, "7 days ago", "in 3 weeks", "last month""#
    guard case .string(let string) = json else {
      report(path, .invalidType, "expected a date (\(forms)), got \(json.shown)")
      return nil
    }
    do {
      return try RuleDate(string)
    } catch {
      switch error {
      case .noSuchDay: report(path, .invalidValue, "there is no such day: \(json.shown)")
      case .noZone: report(path, .invalidValue, "the time \(json.shown) needs a zone: Z or an offset such as +05:30")
      case .notADate: report(path, .invalidValue, "expected a date (\(forms)), got \(json.shown)")
      }
      return nil
    }
  }

  /// Text as the field stores it.
  private mutating func text(_ string: String, _ path: String, _ kind: RuleField.Kind) -> RuleText? {
    // Before normalising too, which would otherwise take time on a text of any length.
    guard string.utf8.count <= RuleLimits.stringBytes else { return tooLong(string.utf8.count, path) }
    guard !string.utf8.contains(0) else {
      report(path, .invalidValue, "a text cannot hold the character NUL")
      return nil
    }
    let normalised =
      switch kind {
      case .email: string.trimmed.lowercased()
      case .phone, .tag: string.trimmed
      case .text, .number, .date, .metadata: string
      }
    // Lower case may take more bytes.
    guard normalised.utf8.count <= RuleLimits.stringBytes else { return tooLong(normalised.utf8.count, path) }
    return RuleText(normalised)
  }

  private mutating func tooLong(_ count: Int, _ path: String) -> RuleText? {
    report(path, .tooLong, "a text has at most \(RuleLimits.stringBytes) bytes, got \(count)")
    return nil
  }

  private mutating func needle(_ json: JSONValue, _ path: String, _ kind: RuleField.Kind) -> RuleValue? {
    guard case .string(let string) = json else { return expected("a string", json, path) }
    guard let text = text(string, path, kind) else { return nil }
    guard !text.string.isEmpty else {
      report(path, .invalidValue, "expected a text that is not empty: every text contains the empty one")
      return nil
    }
    return .text(text)
  }

  private mutating func list(_ json: JSONValue, _ path: String, _ kind: RuleField.Kind) -> [RuleValue]? {
    guard case .array(let elements) = json else { return expected("an array", json, path) }
    guard !elements.isEmpty else {
      report(path, .tooFew, "expected at least one value")
      return nil
    }
    guard elements.count <= RuleLimits.listValues else {
      report(path, .tooMany, "expected at most \(RuleLimits.listValues) values, got \(elements.count)")
      return nil
    }
    var values: [RuleValue] = []
    values.reserveCapacity(elements.count)
    for (index, element) in elements.enumerated() {
      guard !isFull else { return nil }
      if let value = scalar(element, "\(path)[\(index)]", kind) { values.append(value) }
    }
    return values.count == elements.count ? values : nil
  }

  private mutating func range(_ json: JSONValue, _ path: String, _ kind: RuleField.Kind) -> RuleValue? {
    guard case .array(let ends) = json, ends.count == 2 else { return expected("[low, high]", json, path) }
    let low = ordered(ends[0], "\(path)[0]", kind)
    let high = ordered(ends[1], "\(path)[1]", kind)
    guard let low, let high else { return nil }
    let isInverted: Bool
    switch (low, high) {
    case (.number(let a), .number(let b)): isInverted = RuleNumber.precedes(b, a)
    case (.text(let a), .text(let b)): isInverted = b < a
    // The others depend on now and on the zone, and are checked when these are known.
    case (.date(.instant(let a)), .date(.instant(let b))): isInverted = b < a
    case (.date(.day(let a)), .date(.day(let b))): isInverted = b < a
    case (.date, .date): isInverted = false
    default:
      report(path, .invalidType, "expected two numbers or two strings, got \(ends[0].shown) and \(ends[1].shown)")
      return nil
    }
    guard !isInverted else {
      report(path, .invertedRange, "the low end \(ends[0].shown) is above the high end \(ends[1].shown)")
      return nil
    }
    return .range(low: low, high: high)
  }

  private mutating func expected<Value>(_ what: String, _ json: JSONValue, _ path: String) -> Value? {
    report(path, .invalidType, "expected \(what), got \(json.shown)")
    return nil
  }
}
