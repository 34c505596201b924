/// A condition with its dates resolved: what translator and evaluator are both made from, so that neither gives a rule a
/// meaning of its own.
///
/// Tests are positive and false for missing fields; every negative operator is the complement of one.
indirect enum Predicate: Sendable {
  case test(FieldTest)
  case any([Predicate])
  case not(Predicate)
}

/// A test of one field's value.
struct FieldTest: Sendable {
  let field: RuleField
  let test: ValueTest
}

/// A test of a value that is there. Of an array, one element has to pass it.
enum ValueTest: Sendable {
  /// Neither missing nor null. An array exists, whatever it holds.
  case exists
  /// Exists, and is neither "" nor an empty array or object.
  case notEmpty
  case equals(Scalar)
  /// Equals one of them.
  case oneOf([Scalar])
  /// At least one end. Only values of the ends' own type have an order.
  case within(Bounds)
  case contains(FoldedText)
  case startsWith(RuleText)
  case endsWith(RuleText)
  /// Each of the texts is an element.
  case hasAll([RuleText])
}

/// A value that can be compared with those of a document.
enum Scalar: Hashable, Sendable {
  case bool(Bool)
  case number(RuleNumber)
  case text(RuleText)
  /// Milliseconds since the epoch.
  case date(Int64)
}

/// The ends of a range.
struct Bounds: Sendable {
  struct End: Sendable {
    let value: Scalar
    let isIncluded: Bool
  }

  let lower: End?
  let upper: End?

  static func above(_ value: Scalar) -> Bounds { Bounds(lower: End(value: value, isIncluded: false), upper: nil) }
  static func from(_ value: Scalar) -> Bounds { Bounds(lower: End(value: value, isIncluded: true), upper: nil) }
  static func below(_ value: Scalar) -> Bounds { Bounds(lower: nil, upper: End(value: value, isIncluded: false)) }
  static func upTo(_ value: Scalar) -> Bounds { Bounds(lower: nil, upper: End(value: value, isIncluded: true)) }

  /// Both ends included.
  static func between(_ low: Scalar, _ high: Scalar) -> Bounds {
    Bounds(lower: End(value: low, isIncluded: true), upper: End(value: high, isIncluded: true))
  }

  /// From `start` on, up to but without `end`.
  static func dates(_ start: Int64, _ end: Int64) -> Bounds {
    Bounds(lower: End(value: .date(start), isIncluded: true), upper: End(value: .date(end), isIncluded: false))
  }
}
