import BSON
import Foundation

/// What each test says of a stored value: the evaluator's half of a rule's meaning, of which `Predicate+Filter` is the
/// other. It decides as MongoDB does.
struct ValueTester {
  let document: UnsafeRawBufferPointer
  /// The texts of `operands`.
  let text: UnsafeRawBufferPointer
  let operands: UnsafeBufferPointer<BSONCell>

  /// - Parameter root: the value in the step's slot.
  @inline(__always)
  func passes(_ root: BSONCell, _ step: RuleStep) -> Bool {
    if step.path.isEmpty { return holds(root, step) }
    guard step.isWithinArray else { return holds(value(at: step.path, below: root), step) }
    guard root.kind == .array else { return false }
    return anyElement(of: root) { holds(value(at: step.path, below: $0), step) }
  }

  /// The value at a path of keys; missing when it leads through anything but objects, arrays of objects included.
  private func value(at path: Range<Int32>, below root: BSONCell) -> BSONCell {
    var current = root
    for index in path {
      guard current.kind == .document else { return .missing }
      current = member(operands[Int(index)], of: current)
    }
    return current
  }

  private func member(_ key: BSONCell, of object: BSONCell) -> BSONCell {
    var elements = RawElements(document, at: object.range)
    let wanted = key.range
    while let element = elements.next() {
      if element.key.count == wanted.count,
        Self.areSame(document.pointer(element.key), text.pointer(wanted), wanted.count)
      {
        return BSONCell(element, in: document)
      }
    }
    return .missing
  }

  private func holds(_ value: BSONCell, _ step: RuleStep) -> Bool {
    // Every test is false for what is missing; the complements are in the program's jumps.
    if value.kind == .missing || value.kind == .null { return false }
    switch step.test {
    case .exists: return true
    case .notEmpty: return !isEmpty(value)
    case .equals:
      let operand = operands[Int(step.operands.lowerBound)]
      return any(value) { equals($0, operand) }
    case .oneOf: return any(value) { isMember($0, of: step.operands) }
    case .within: return any(value) { lower(step, holds: $0) && upper(step, holds: $0) }
    case .withinApart:
      // As the filter says it: one element may lie above the lower end, another below the upper one.
      return any(value) { lower(step, holds: $0) } && any(value) { upper(step, holds: $0) }
    case .contains, .startsWith, .endsWith:
      let operand = text.bytes(operands[Int(step.operands.lowerBound)].range)
      return any(value) { $0.kind == .text && Self.isFound(operand, in: document.bytes($0.range), step.test) }
    case .hasAll: return hasAll(value, step.operands)
    }
  }

  /// Whether the value, or one element of an array, passes. Arrays within arrays are not looked into.
  @inline(__always)
  private func any(_ value: BSONCell, _ passes: (BSONCell) -> Bool) -> Bool {
    value.kind == .array ? anyElement(of: value, passes) : passes(value)
  }

  @inline(__always)
  private func anyElement(of array: BSONCell, _ passes: (BSONCell) -> Bool) -> Bool {
    var elements = RawElements(document, at: array.range)
    while let element = elements.next() {
      if passes(BSONCell(element, in: document)) { return true }
    }
    return false
  }

  private func isEmpty(_ value: BSONCell) -> Bool {
    switch value.kind {
    case .text: return value.count == 0
    case .array, .document:
      var elements = RawElements(document, at: value.range)
      return elements.next() == nil
    default: return false
    }
  }

  private func hasAll(_ value: BSONCell, _ wanted: Range<Int32>) -> Bool {
    // No more different texts than elements are there: ten thousand wanted ones are not looked for one by one.
    guard count(of: value, upTo: wanted.count) >= wanted.count else { return false }
    return wanted.allSatisfy { index in
      let operand = operands[Int(index)]
      return any(value) { equals($0, operand) }
    }
  }

  private func count(of value: BSONCell, upTo limit: Int) -> Int {
    guard value.kind == .array else { return 1 }
    var elements = RawElements(document, at: value.range)
    var count = 0
    while count < limit, elements.next() != nil { count += 1 }
    return count
  }

  // MARK: Comparisons

  private func lower(_ step: RuleStep, holds value: BSONCell) -> Bool {
    if step.lower == .none { return true }
    let end = operands[Int(step.operands.lowerBound)]
    return follows(value, end) || (step.lower == .included && equals(value, end))
  }

  private func upper(_ step: RuleStep, holds value: BSONCell) -> Bool {
    if step.upper == .none { return true }
    let end = operands[Int(step.operands.upperBound) - 1]
    return precedes(value, end) || (step.upper == .included && equals(value, end))
  }

  /// Equality of type and value.
  @inline(__always)
  private func equals(_ value: BSONCell, _ operand: BSONCell) -> Bool {
    switch (value.kind, operand.kind) {
    case (.text, .text):
      value.count == operand.count
        && Self.areSame(document.pointer(value.range), text.pointer(operand.range), Int(value.count))
    case (.bool, .bool), (.date, .date), (.integer, .integer): value.bits == operand.bits
    case (.double, .double): value.double == operand.double
    case (.integer, .double), (.double, .integer): RuleNumber.sameValue(RuleNumber(value), RuleNumber(operand))
    default: false
    }
  }

  /// Order within one type: never across types, and booleans have none.
  @inline(__always)
  private func precedes(_ value: BSONCell, _ operand: BSONCell) -> Bool {
    switch (value.kind, operand.kind) {
    case (.date, .date): value.integer < operand.integer
    case (.text, .text): Self.order(document.bytes(value.range), text.bytes(operand.range)) < 0
    case (.integer, .integer), (.double, .double), (.integer, .double), (.double, .integer):
      RuleNumber.precedes(RuleNumber(value), RuleNumber(operand))
    default: false
    }
  }

  @inline(__always)
  private func follows(_ value: BSONCell, _ operand: BSONCell) -> Bool {
    switch (value.kind, operand.kind) {
    case (.date, .date): value.integer > operand.integer
    case (.text, .text): Self.order(document.bytes(value.range), text.bytes(operand.range)) > 0
    case (.integer, .integer), (.double, .double), (.integer, .double), (.double, .integer):
      RuleNumber.precedes(RuleNumber(operand), RuleNumber(value))
    default: false
    }
  }

  /// Whether the value is one of the operands, which are sorted: by kind, then by value.
  private func isMember(_ value: BSONCell, of set: Range<Int32>) -> Bool {
    guard let rank = Self.rank(value.kind) else { return false }
    var (low, high) = (set.lowerBound, set.upperBound)
    while low < high {
      let middle = low + (high - low) / 2
      let operand = operands[Int(middle)]
      let operandRank = Self.rank(operand.kind) ?? 0
      let isBefore: Bool =
        operandRank != rank
        ? operandRank < rank
        : operand.kind == .bool ? operand.bits < value.bits : follows(value, operand)
      if isBefore { low = middle + 1 } else { high = middle }
    }
    return low < set.upperBound && equals(value, operands[Int(low)])
  }

  /// In the order of `Scalar.isOrdered`; nil for what is no scalar.
  private static func rank(_ kind: BSONCell.Kind) -> Int? {
    switch kind {
    case .bool: 0
    case .integer, .double: 1
    case .date: 2
    case .text: 3
    case .missing, .null, .document, .array, .other: nil
    }
  }

  // MARK: Bytes

  private static func isFound(
    _ operand: UnsafeRawBufferPointer, in value: UnsafeRawBufferPointer, _ test: RuleStep.Test
  ) -> Bool {
    switch test {
    case .startsWith:
      return value.count >= operand.count && areSame(value.baseAddress, operand.baseAddress, operand.count)
    case .endsWith:
      let start = value.count - operand.count
      return start >= 0 && areSame(value.baseAddress.map { $0 + start }, operand.baseAddress, operand.count)
    default:
      return FoldedText.find(operand, in: value)
    }
  }

  @inline(__always)
  private static func areSame(_ left: UnsafeRawPointer?, _ right: UnsafeRawPointer?, _ count: Int) -> Bool {
    guard let left, let right else { return count == 0 }
    return memcmp(left, right, count) == 0
  }

  private static func order(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
    let shared = min(left.count, right.count)
    if shared > 0, let a = left.baseAddress, let b = right.baseAddress {
      let order = memcmp(a, b, shared)
      if order != 0 { return Int(order) }
    }
    return left.count - right.count
  }
}

extension UnsafeRawBufferPointer {
  fileprivate func bytes(_ range: Range<Int>) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: self[range])
  }

  fileprivate func pointer(_ range: Range<Int>) -> UnsafeRawPointer? { baseAddress.map { $0 + range.lowerBound } }
}

extension RuleNumber {
  /// - Parameter cell: an integer or a double.
  @inline(__always)
  fileprivate init(_ cell: BSONCell) {
    self = cell.kind == .integer ? .int(cell.integer) : .double(cell.double)
  }
}
