import BSON

/// A rule for putting to very many documents: one test after another, each saying where to go on when it holds and when it
/// does not.
///
/// Groups and complements are only in the jumps, so that a decision takes no more tests than it needs and nothing but a
/// loop. Steps and operands are plain numbers; whatever the rule holds of text stands in one array.
struct RuleProgram: Sendable {
  /// A jump that ends the program instead.
  enum End {
    static let accept: Int32 = -1
    static let reject: Int32 = -2
  }

  let steps: [RuleStep]
  /// What steps compare with: values, ends of ranges, sorted lists, keys of paths.
  let operands: [BSONCell]
  /// The texts of operands.
  let text: [UInt8]
  /// The fields that the rule asks for.
  let keys: SlotKeys

  /// Decodes only what the rule asks for.
  func matches(_ document: BSONDocument) -> Bool {
    document.bytes.withUnsafeBytes { bytes in
      var cells = SlotKeys.Cells(repeating: .missing)
      keys.fill(&cells, from: bytes, at: 0..<bytes.count)
      return withTester(of: bytes) { tester, steps in
        cells.span.withUnsafeBufferPointer { Self.run(steps, $0, from: 0, tester) }
      }
    }
  }

  /// Calls `body` with the index of each lead that fulfils the rule, which is of the layout of leads.
  @inline(__always)
  func forEachMatch(in leads: DecodedLeads, _ body: (Int) -> Void) {
    leads.bytes.withUnsafeBytes { bytes in
      leads.cells.withUnsafeBufferPointer { cells in
        withTester(of: bytes) { tester, steps in
          for index in 0..<(cells.count / DocumentLayout.slots) {
            if Self.run(steps, cells, from: index &* DocumentLayout.slots, tester) { body(index) }
          }
        }
      }
    }
  }

  @inline(__always)
  private func withTester<Result>(
    of document: UnsafeRawBufferPointer, _ body: (ValueTester, UnsafeBufferPointer<RuleStep>) -> Result
  ) -> Result {
    text.withUnsafeBytes { text in
      operands.withUnsafeBufferPointer { operands in
        steps.withUnsafeBufferPointer { steps in
          body(ValueTester(document: document, text: text, operands: operands), steps)
        }
      }
    }
  }

  /// - Parameter start: of the document's cells.
  @inline(__always)
  private static func run(
    _ steps: UnsafeBufferPointer<RuleStep>, _ cells: UnsafeBufferPointer<BSONCell>, from start: Int,
    _ tester: ValueTester
  ) -> Bool {
    // Jumps only lead forward.
    var at: Int32 = 0
    repeat {
      let step = steps[Int(at)]
      at = tester.passes(cells[start &+ step.slot], step) ? step.onTrue : step.onFalse
    } while at >= 0
    return at == End.accept
  }
}

/// One test of one field.
struct RuleStep: Sendable {
  enum Test: UInt8, Sendable {
    case exists, notEmpty, equals, oneOf
    /// Both ends by one element.
    case within
    /// Each end by some element.
    case withinApart
    case contains, startsWith, endsWith, hasAll
  }

  enum Limit: UInt8, Sendable {
    case none, excluded, included
  }

  let test: Test
  let slot: Int
  /// The field lies in objects within an array, one of which has to pass.
  let isWithinArray: Bool
  /// The keys below the slot's own, among the operands.
  let path: Range<Int32>
  /// What the value is compared with.
  var operands: Range<Int32>
  /// Ends of a range: the lower one is the first operand, the upper one the last.
  var lower = Limit.none
  var upper = Limit.none
  /// Indices of steps, or `RuleProgram.End`.
  var onTrue: Int32 = RuleProgram.End.accept
  var onFalse: Int32 = RuleProgram.End.reject
}
