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

  func matches(_ document: BSONDocument) -> Bool { matches(DecodedFields(document, keys)) }

  /// - Parameter fields: of a document of the rule's layout, decoded with at least the rule's own keys.
  func matches(_ fields: borrowing DecodedFields) -> Bool {
    fields.bytes.withUnsafeBytes { document in
      text.withUnsafeBytes { text in
        operands.withUnsafeBufferPointer { operands in
          steps.withUnsafeBufferPointer { steps in
            let tester = ValueTester(document: document, text: text, operands: operands)
            // Jumps only lead forward.
            var at: Int32 = 0
            repeat {
              let step = steps[Int(at)]
              at = tester.passes(fields.cells[step.slot], step) ? step.onTrue : step.onFalse
            } while at >= 0
            return at == End.accept
          }
        }
      }
    }
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
