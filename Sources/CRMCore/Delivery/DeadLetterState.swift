/// Where a dead letter is in its life.
public enum DeadLetterState: String, CaseIterable, Sendable {
  /// Filed, and nobody has looked after it.
  case new
  /// Its record was given back to its consumer, or its send to the send workers.
  case replayed
  /// Somebody has decided that nothing is to be done about it.
  case discarded

  /// What people can do to a dead letter.
  public enum Event: String, CaseIterable, Sendable {
    case replay, discard
  }

  /// The state after an event; nil when it is not possible. Every event may be repeated.
  public func after(_ event: Event) -> DeadLetterState? {
    switch (self, event) {
    case (.new, .replay), (.replayed, .replay): .replayed
    case (.new, .discard), (.discarded, .discard): .discarded
    case (.replayed, .discard), (.discarded, .replay): nil
    }
  }

  /// The states in which an event is possible.
  public static func allowing(_ event: Event) -> [DeadLetterState] { allCases.filter { $0.after(event) != nil } }
}
