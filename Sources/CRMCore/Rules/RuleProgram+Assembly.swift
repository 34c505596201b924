import BSON

extension RuleProgram {
  /// - Parameter node: holds no condition about orders or messages.
  init(_ node: CompiledRule.Node, _ layout: DocumentLayout) {
    var assembler = RuleAssembler()
    assembler.node(node, RuleAssembler.accept, RuleAssembler.reject)
    self = assembler.program(layout)
  }

  init(_ predicate: Predicate, _ layout: DocumentLayout) {
    var assembler = RuleAssembler()
    assembler.predicate(predicate, RuleAssembler.accept, RuleAssembler.reject)
    self = assembler.program(layout)
  }
}

/// Lays out tests in the order of the rule's text and fills in the jumps at the end.
private struct RuleAssembler {
  private var steps: [RuleStep] = []
  private var operands: [BSONCell] = []
  private var text: [UInt8] = []
  /// The step at which each label stands.
  private var labels: [Int32] = [RuleProgram.End.accept, RuleProgram.End.reject]

  static let accept = 0
  static let reject = 1

  func program(_ layout: DocumentLayout) -> RuleProgram {
    let linked = steps.map { step in
      var step = step
      step.onTrue = labels[Int(step.onTrue)]
      step.onFalse = labels[Int(step.onFalse)]
      return step
    }
    return RuleProgram(
      steps: linked, operands: operands, text: text, keys: SlotKeys(layout, slots: Set(steps.map(\.slot)).sorted()))
  }

  // MARK: Groups

  mutating func node(_ node: CompiledRule.Node, _ onTrue: Int, _ onFalse: Int) {
    switch node {
    case .all(let nodes): all(nodes, onTrue, onFalse) { $0.node($1, $2, $3) }
    case .any(let nodes): any(nodes, onTrue, onFalse) { $0.node($1, $2, $3) }
    case .not(let node): self.node(node, onFalse, onTrue)
    case .condition(_, let predicate): self.predicate(predicate, onTrue, onFalse)
    case .segment(_, let node): self.node(node, onTrue, onFalse)
    // Asked of the database, never here.
    case .behaviour: break
    }
  }

  mutating func predicate(_ predicate: Predicate, _ onTrue: Int, _ onFalse: Int) {
    switch predicate {
    case .test(let test): self.test(test, onTrue, onFalse)
    case .any(let predicates): any(predicates, onTrue, onFalse) { $0.predicate($1, $2, $3) }
    case .not(let predicate): self.predicate(predicate, onFalse, onTrue)
    }
  }

  private typealias Part<Element> = (inout RuleAssembler, Element, _ onTrue: Int, _ onFalse: Int) -> Void

  private mutating func all<Element>(_ parts: [Element], _ onTrue: Int, _ onFalse: Int, _ add: Part<Element>) {
    for (index, part) in parts.enumerated() {
      chain(isLast: index == parts.count - 1, onTrue) { assembler, next in add(&assembler, part, next, onFalse) }
    }
  }

  private mutating func any<Element>(_ parts: [Element], _ onTrue: Int, _ onFalse: Int, _ add: Part<Element>) {
    for (index, part) in parts.enumerated() {
      chain(isLast: index == parts.count - 1, onFalse) { assembler, next in add(&assembler, part, onTrue, next) }
    }
  }

  /// Adds a part that goes on to the part behind it, or, being the last, to `end`.
  private mutating func chain(isLast: Bool, _ end: Int, _ add: (inout RuleAssembler, _ next: Int) -> Void) {
    if isLast { return add(&self, end) }
    let next = labels.count
    labels.append(0)
    add(&self, next)
    labels[next] = Int32(steps.count)
  }

  // MARK: Tests

  private mutating func test(_ test: FieldTest, _ onTrue: Int, _ onFalse: Int) {
    let path = append(test.field.path.dropFirst().map { cell(text: $0) })
    let (kind, values) = self.operands(of: test.test)
    let isApart = kind == .within && !test.field.mayBeArray
    var step = RuleStep(
      test: isApart ? .withinApart : kind, slot: test.field.slot, isWithinArray: test.field.isWithinArray, path: path,
      operands: append(values))
    if case .within(let bounds) = test.test {
      step.lower = limit(bounds.lower)
      step.upper = limit(bounds.upper)
    }
    step.onTrue = Int32(onTrue)
    step.onFalse = Int32(onFalse)
    steps.append(step)
  }

  private mutating func operands(of test: ValueTest) -> (RuleStep.Test, [BSONCell]) {
    switch test {
    case .exists: (.exists, [])
    case .notEmpty: (.notEmpty, [])
    case .equals(let value): (.equals, [cell(value)])
    case .oneOf(let values): (.oneOf, values.unique().sorted(by: Scalar.isOrdered).map { cell($0) })
    case .within(let bounds): (.within, [bounds.lower, bounds.upper].compactMap { $0.map { cell($0.value) } })
    case .contains(let folded): (.contains, [cell(bytes: folded.needle)])
    case .startsWith(let text): (.startsWith, [cell(text: text.string)])
    case .endsWith(let text): (.endsWith, [cell(text: text.string)])
    case .hasAll(let texts): (.hasAll, texts.unique().map { cell(text: $0.string) })
    }
  }

  private func limit(_ end: Bounds.End?) -> RuleStep.Limit {
    end.map { $0.isIncluded ? .included : .excluded } ?? .none
  }

  private mutating func append(_ cells: [BSONCell]) -> Range<Int32> {
    let start = Int32(operands.count)
    operands += cells
    return start..<Int32(operands.count)
  }

  private mutating func cell(_ value: Scalar) -> BSONCell {
    switch value {
    case .bool(let flag): BSONCell(.bool, bits: flag ? 1 : 0)
    case .number(.int(let value)): BSONCell(.integer, bits: UInt64(bitPattern: value))
    case .number(.double(let value)): BSONCell(.double, bits: value.bitPattern)
    case .text(let text): cell(text: text.string)
    case .date(let milliseconds): BSONCell(.date, bits: UInt64(bitPattern: milliseconds))
    }
  }

  private mutating func cell(text: String) -> BSONCell { cell(bytes: Array(text.utf8)) }

  private mutating func cell(bytes: [UInt8]) -> BSONCell {
    let start = text.count
    text += bytes
    return BSONCell(.text, bits: UInt64(start), count: Int32(bytes.count))
  }
}

extension Scalar {
  /// One order of all scalars, the same as `ValueTester` finds them by: kinds apart, numbers by value, texts by bytes.
  fileprivate static func isOrdered(_ left: Scalar, _ right: Scalar) -> Bool {
    switch (left, right) {
    case (.bool(let a), .bool(let b)): !a && b
    case (.number(let a), .number(let b)): RuleNumber.precedes(a, b)
    case (.text(let a), .text(let b)): a < b
    case (.date(let a), .date(let b)): a < b
    default: left.rank < right.rank
    }
  }

  private var rank: Int {
    switch self {
    case .bool: 0
    case .number: 1
    case .date: 2
    case .text: 3
    }
  }
}
