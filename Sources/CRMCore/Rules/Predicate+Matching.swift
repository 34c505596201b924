import BSON

/// Predicates over one document in memory, deciding as MongoDB does.
extension Predicate {
  func matches(_ document: BSONDocument) -> Bool {
    switch self {
    case .test(let test): test.matches(document)
    case .any(let predicates): predicates.contains { $0.matches(document) }
    case .not(let predicate): !predicate.matches(document)
    }
  }
}

extension FieldTest {
  func matches(_ document: BSONDocument) -> Bool {
    guard field.isWithinArray else { return test.matches(document.value(at: field.path), field) }
    guard case .array(let elements) = document[field.path[0]] else { return false }
    let path = Array(field.path.dropFirst())
    return elements.contains { element in
      element.documentValue.map { test.matches($0.value(at: path), field) } ?? false
    }
  }
}

extension ValueTest {
  fileprivate func matches(_ value: BSONValue?, _ field: RuleField) -> Bool {
    guard let value, !value.isNull else { return false }
    switch self {
    case .exists: return true
    case .notEmpty: return !Self.isEmpty(value)
    case .equals(let wanted): return Self.any(value) { Scalar($0).map(wanted.equals) ?? false }
    case .oneOf(let set): return Self.any(value) { Scalar($0).map(set.contains) ?? false }
    case .within(let bounds):
      if field.mayBeArray { return Self.any(value) { bounds.lower(holds: $0) && bounds.upper(holds: $0) } }
      // As the filter says it: one element may lie above the lower end, another below the upper one.
      return Self.any(value) { bounds.lower(holds: $0) } && Self.any(value) { bounds.upper(holds: $0) }
    case .contains(let needle): return Self.anyText(value) { needle.isContained(in: $0) }
    case .startsWith(let text): return Self.anyText(value) { $0.utf8.starts(with: text.string.utf8) }
    case .endsWith(let text):
      return Self.anyText(value) {
        $0.utf8.count >= text.string.utf8.count
          && $0.utf8.suffix(text.string.utf8.count).elementsEqual(text.string.utf8)
      }
    case .hasAll(let texts):
      return texts.allSatisfy { text in Self.any(value) { Scalar($0).map(Scalar.text(text).equals) ?? false } }
    }
  }

  /// Whether the value, or one element of an array, passes. Arrays within arrays are not looked into.
  private static func any(_ value: BSONValue, _ passes: (BSONValue) -> Bool) -> Bool {
    if case .array(let elements) = value { elements.contains(where: passes) } else { passes(value) }
  }

  private static func anyText(_ value: BSONValue, _ passes: (String) -> Bool) -> Bool {
    any(value) { element in element.stringValue.map(passes) ?? false }
  }

  private static func isEmpty(_ value: BSONValue) -> Bool {
    switch value {
    case .null: true
    case .string(let text): text.isEmpty
    case .array(let elements): elements.isEmpty
    case .document(let document): document.isEmpty
    default: false
    }
  }
}

extension Bounds {
  fileprivate func lower(holds value: BSONValue) -> Bool {
    guard let lower else { return true }
    guard let scalar = Scalar(value) else { return false }
    return lower.value.precedes(scalar) || (lower.isIncluded && lower.value.equals(scalar))
  }

  fileprivate func upper(holds value: BSONValue) -> Bool {
    guard let upper else { return true }
    guard let scalar = Scalar(value) else { return false }
    return scalar.precedes(upper.value) || (upper.isIncluded && upper.value.equals(scalar))
  }
}

extension Scalar {
  /// A stored value that rules can compare; nil for others. Leads hold no decimals.
  init?(_ value: BSONValue) {
    switch value {
    case .bool(let flag): self = .bool(flag)
    case .int32(let value): self = .number(.int(Int64(value)))
    case .int64(let value): self = .number(.int(value))
    case .double(let value): self = .number(.double(value))
    case .string(let text): self = .text(RuleText(text))
    case .date(let milliseconds): self = .date(milliseconds)
    default: return nil
    }
  }

  /// Equality of type and value.
  func equals(_ other: Scalar) -> Bool {
    switch (self, other) {
    case (.number(let a), .number(let b)): RuleNumber.sameValue(a, b)
    case (.text(let a), .text(let b)): a == b
    case (.date(let a), .date(let b)): a == b
    case (.bool(let a), .bool(let b)): a == b
    default: false
    }
  }

  /// Order within one type: never across types, and booleans have none.
  func precedes(_ other: Scalar) -> Bool {
    switch (self, other) {
    case (.number(let a), .number(let b)): RuleNumber.precedes(a, b)
    case (.text(let a), .text(let b)): a < b
    case (.date(let a), .date(let b)): a < b
    default: false
    }
  }
}
