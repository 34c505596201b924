/// What a field is compared with.
public enum RuleValue: Hashable, Sendable {
  /// Missing or null; only with `=` and `!=`.
  case null
  case bool(Bool)
  case number(RuleNumber)
  case text(RuleText)
  case date(RuleDate)
  case list([RuleValue])
  /// Both ends included.
  indirect case range(low: RuleValue, high: RuleValue)
  case span(RuleSpan)
}

/// Text that equals other text when their bytes are the same, as in MongoDB. Swift's `String` also holds composed and
/// decomposed letters for equal, and so would decide differently.
public struct RuleText: Hashable, Comparable, Sendable {
  public let string: String

  public init(_ string: String) { self.string = string }

  public static func == (left: RuleText, right: RuleText) -> Bool {
    left.string.utf8.count == right.string.utf8.count && left.string.utf8.elementsEqual(right.string.utf8)
  }

  public static func < (left: RuleText, right: RuleText) -> Bool {
    left.string.utf8.lexicographicallyPrecedes(right.string.utf8)
  }

  public func hash(into hasher: inout Hasher) {
    var string = string
    string.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
  }
}

/// A number as written: an integer keeps all of its digits.
public enum RuleNumber: Hashable, Sendable {
  case int(Int64)
  /// Finite.
  case double(Double)

  /// The same number as an integer when it is one, so that 5 and 5.0 become one.
  var canonical: RuleNumber {
    if case .double(let value) = self, let integer = Int64(exactly: value) { return .int(integer) }
    return self
  }

  /// Compares values without rounding either: 2⁵³ + 1 is above 2⁵³. False for NaN.
  static func precedes(_ left: RuleNumber, _ right: RuleNumber) -> Bool {
    switch (left, right) {
    case (.int(let a), .int(let b)): a < b
    case (.double(let a), .double(let b)): a < b
    case (.int(let a), .double(let b)): precedes(a, b)
    case (.double(let a), .int(let b)): precedes(a, b)
    }
  }

  /// Equality of value: 5 and 5.0 are equal. False for NaN.
  static func sameValue(_ left: RuleNumber, _ right: RuleNumber) -> Bool {
    switch (left, right) {
    case (.int(let a), .int(let b)): a == b
    case (.double(let a), .double(let b)): a == b
    case (.int(let a), .double(let b)), (.double(let b), .int(let a)): Int64(exactly: b) == a
    }
  }

  private static func precedes(_ left: Int64, _ right: Double) -> Bool {
    if right.isNaN || right <= -0x1p63 { return false }
    if right >= 0x1p63 { return true }
    // Within the range of Int64: an integer is below a number when it is below that number rounded up.
    return left < Int64(right.rounded(.up))
  }

  private static func precedes(_ left: Double, _ right: Int64) -> Bool {
    if left.isNaN || left >= 0x1p63 { return false }
    if left < -0x1p63 { return true }
    return Int64(left.rounded(.down)) < right
  }
}
