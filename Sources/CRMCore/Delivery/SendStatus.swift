/// The state of one send: one lead, one run, one channel.
///
/// The states have a total order, their rank, and a send only ever moves up. That makes merging independent of the order
/// in which evidence arrives: the state is the highest one that anything has shown.
///
/// `SKIPPED` and `CANCELLED` are decisions not to send, and final: nothing that the product decides later moves them. They
/// rank above everything that is still in flight and below everything that shows that a vendor was called after all, since
/// evidence wins over a decision.
public enum SendStatus: String, CaseIterable, Sendable {
  /// In the frozen audience; its row is not written yet.
  case pending = "PENDING"
  /// Its row is written and its job published, or about to be.
  case queued = "QUEUED"
  /// Claimed: the vendor is about to be called.
  case sending = "SENDING"
  /// Not sent, because the lead opted out, has no address or lacks a value; the row says why.
  case skipped = "SKIPPED"
  /// Not sent, because the campaign was cancelled.
  case cancelled = "CANCELLED"
  /// The vendor was called and may or may not have taken the message.
  case unknown = "UNKNOWN"
  /// The vendor took the message.
  case sent = "SENT"
  /// The vendor refused it, or could not deliver it.
  case failed = "FAILED"
  case delivered = "DELIVERED"
  case read = "READ"

  /// The place in the order of states, as rows store it. The gaps leave room.
  public var rank: Int32 {
    switch self {
    case .pending: 0
    case .queued: 10
    case .sending: 20
    case .skipped: 24
    case .cancelled: 26
    case .unknown: 30
    case .sent: 40
    case .failed: 50
    case .delivered: 60
    case .read: 70
    }
  }

  /// The product still has to do something about it; a campaign with such a send is not complete.
  public var isInFlight: Bool { self == .pending || self == .queued || self == .sending }

  /// The product owes it nothing more: it is neither in flight nor undecided. A receipt may still move it up.
  public var isFinal: Bool { !isInFlight && self != .unknown }
}

extension SendStatus: Comparable {
  public static func < (left: SendStatus, right: SendStatus) -> Bool { left.rank < right.rank }
}

/// What a new state of a send rests on.
public enum Evidence: Sendable, CaseIterable {
  /// A decision of the product about a send in flight: queued, claimed, skipped, cancelled, claim run out.
  case decision
  /// A send worker's account of what happened.
  case outcome
  /// The vendor's receipt.
  case receipt
}

extension SendStatus {
  /// Whether a send of this state takes the next one.
  ///
  /// Never downwards. A decision moves only what is in flight, and a claimed send can no longer be cancelled: the vendor
  /// may be on the line.
  public func accepts(_ next: SendStatus, evidence: Evidence) -> Bool {
    guard next > self else { return false }
    return switch evidence {
    case .outcome, .receipt: true
    case .decision: isInFlight && !(self == .sending && next == .cancelled)
    }
  }
}
