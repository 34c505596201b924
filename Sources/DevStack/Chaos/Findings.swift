import Synchronization

/// What a chaos run has found, and counted on the way.
final class Findings: Sendable {
  struct Tally: Sendable, Equatable {
    var runs = 0
    var leads = 0
    var messages = 0
    var lost = 0
    var duplicated = 0
    var unknown = 0
    var repeatedCalls = 0
    var polls = 0
    var offsetsChecked = 0
    var poison = 0
    /// Files that were imported, and their rows.
    var files = 0
    var rows = 0
  }

  private struct State {
    var violations: [String] = []
    var further = 0
    /// By what stands before the first colon.
    var counts: [String: Int] = [:]
    var notes: [String] = []
    var tally = Tally()
  }

  private let state = Mutex(State())
  private static let kept = 100

  /// An invariant does not hold.
  func violated(_ text: String) {
    state.withLock { state in
      state.counts[String(text.prefix { $0 != ":" }), default: 0] += 1
      if state.violations.count < Self.kept { state.violations.append(text) } else { state.further += 1 }
    }
  }

  /// How often an invariant was violated.
  func count(of invariant: String) -> Int { state.withLock { $0.counts[invariant] ?? 0 } }

  func note(_ text: String) { state.withLock { $0.notes.append(text) } }
  func count(_ change: (inout Tally) -> Void) { state.withLock { change(&$0.tally) } }

  var violations: [String] {
    state.withLock { $0.violations + ($0.further > 0 ? ["and \($0.further) more"] : []) }
  }
  var notes: [String] { state.withLock { $0.notes } }
  var tally: Tally { state.withLock { $0.tally } }
}
