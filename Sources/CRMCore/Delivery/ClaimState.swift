/// Who may act on a send: the cycle of claims and attempts that runs beside the send's status. Pure; the store's
/// conditional updates are held to it, state by state and event by event.
public enum ClaimState: String, CaseIterable, Sendable {
  /// QUEUED; the first worker with its job may take it.
  case queued
  /// QUEUED with a not-before time: nobody may make it now.
  case deferred
  /// SENDING under somebody's claim.
  case held
  /// SENDING without a holder: it waits for its next attempt.
  case waiting
  /// UNKNOWN: nobody calls a vendor for it again, unless somebody decides so.
  case undecided
  /// UNKNOWN with a not-before time: somebody has decided that it is sent again.
  case resending
  /// UNKNOWN under somebody's claim.
  case resent
  /// FAILED without a vendor's word: its attempts are used up.
  case exhausted
  /// Decided in any other way.
  case closed

  public enum Event: String, CaseIterable, Sendable {
    /// A job of the first attempt, or of the one that the row waits for, is claimed.
    case claim
    /// The holder has not called a vendor.
    case release
    /// The holder has called, and the send may be tried again.
    case retryLater
    /// A worker with its job may not make it now: a breaker is open, or the rate limit has no slot.
    case putOff
    /// UNKNOWN is told: by the holder, or because its claim ran out.
    case tellUnknown
    /// It is told that a vendor took it.
    case tellSent
    /// The campaign is cancelled.
    case cancel
    /// The campaign's policy sends an UNKNOWN send again after the deadline.
    case resend
    /// The dead letter of its last attempt is replayed.
    case replay
  }

  /// The state after an event. One that does not concern the state changes nothing: jobs, outcomes and sweeps may come
  /// late and more than once.
  public func after(_ event: Event) -> ClaimState {
    switch (self, event) {
    case (.queued, .claim), (.deferred, .claim), (.waiting, .claim): .held
    case (.resending, .claim): .resent
    case (.held, .release), (.held, .retryLater): .waiting
    case (.resent, .release), (.resent, .retryLater): .resending
    case (.queued, .putOff): .deferred
    case (.queued, .tellUnknown), (.deferred, .tellUnknown), (.held, .tellUnknown), (.waiting, .tellUnknown): .undecided
    case (.exhausted, .tellSent), (.closed, .tellSent): self
    case (_, .tellSent): .closed
    // A claimed send can no longer be cancelled: the vendor may be on the line.
    case (.queued, .cancel), (.deferred, .cancel), (.waiting, .cancel): .closed
    case (.undecided, .resend), (.resent, .resend): .resending
    case (.exhausted, .replay): .resending
    default: self
    }
  }
}
