/// What is known of a send's earlier calls when it is to be called again.
public struct SendRoute: Sendable, Equatable {
  /// The vendor of the last call, or the one that the next should go to.
  public var vendor: String?
  /// Calls in this cycle before the next one. A replay of a dead letter begins a new cycle.
  public var calls: Int32
  /// How long ago the first call was whose outcome nobody knows; nil when every outcome is known.
  public var ambiguousFor: Duration?
  /// Somebody has decided that it is sent again though it may have been sent: the campaign's policy, after its deadline.
  public var isResend: Bool

  public init(vendor: String? = nil, calls: Int32 = 0, ambiguousFor: Duration? = nil, isResend: Bool = false) {
    self.vendor = vendor
    self.calls = calls
    self.ambiguousFor = ambiguousFor
    self.isResend = isResend
  }
}

/// Where the next call of a send goes.
public enum SendDestination: Sendable, Equatable {
  /// To any vendor of the channel, the one at this position by preference: no call has an unknown outcome.
  case prefer(position: Int)
  /// To this vendor and no other: it may have the message already.
  case only(position: Int)
  /// Nowhere: another call could be a second message. The send stays UNKNOWN.
  case none(SendError)
}

/// What follows from a vendor call.
public enum SendDecision: Sendable, Equatable {
  /// Tell this outcome; the send is done, or nobody can decide it.
  case tell(SendStatus, vendorMessageID: String?, SendError?)
  /// Store a not-before time and let go.
  case retry(SendRetry)
  /// Tell FAILED and put the job on the dead letters: attempts are used up, and none of them was taken.
  case giveUp(SendError)
}

/// When and where a send is tried again.
public struct SendRetry: Sendable, Equatable {
  public enum Wait: Sendable, Equatable {
    /// Another vendor: nothing to wait for.
    case none
    /// Exponential backoff for the n-th wait, from 0, and not less than the vendor asked for.
    case backoff(step: Int, atLeast: Duration)
  }

  public var position: Int
  public var wait: Wait
  /// This call's outcome, or an earlier one's, is unknown: the send must not go to another vendor.
  public var isAmbiguous: Bool

  public init(position: Int, wait: Wait, isAmbiguous: Bool) {
    self.position = position
    self.wait = wait
    self.isAmbiguous = isAmbiguous
  }
}

/// The policy of retries and of failover, in one place and without I/O.
///
/// A definite failure may go to the next vendor, and after the last one to the first again. An ambiguous one ties the
/// send to its vendor: keys do not span vendors. It is repeated only under a key that the vendor still honours.
public struct SendPolicy: Sendable {
  public let maxAttempts: Int32
  /// What the vendors of the channel promise, in the order in which they are tried.
  public let vendors: [(name: String, keys: KeyPromise)]

  public init(maxAttempts: Int32, vendors: [(name: String, keys: KeyPromise)]) {
    self.maxAttempts = maxAttempts
    self.vendors = vendors
  }

  /// Where a send's next call goes.
  public func destination(_ route: SendRoute) -> SendDestination {
    let position = route.vendor.flatMap { name in vendors.firstIndex { $0.name == name } }
    guard let age = route.ambiguousFor else { return .prefer(position: position ?? 0) }
    guard let position else {
      return .none(
        SendError(
          errorClass: "vendor_gone",
          message: "the vendor that may have taken it, \(route.vendor ?? "unknown"), is not configured any more"))
    }
    guard route.isResend || vendors[position].keys.covers(age) else {
      return .none(
        SendError(
          errorClass: "key_expired", message: "a call of unknown outcome is older than the vendor's idempotency keys"))
    }
    return .only(position: position)
  }

  /// What follows from a call.
  ///
  /// - Parameters:
  ///   - position: of the vendor that was called.
  ///   - route: what was known before the call.
  public func decide(_ outcome: VendorOutcome, position: Int, _ route: SendRoute) -> SendDecision {
    let keysHold = vendors[position].keys.covers(route.ambiguousFor ?? .zero)
    let wasAmbiguous = route.ambiguousFor != nil
    let isLast = route.calls + 1 >= maxAttempts
    func unknown(_ errorClass: String, _ message: String) -> SendDecision {
      .tell(.unknown, vendorMessageID: nil, SendError(errorClass: errorClass, message: message))
    }
    switch outcome {
    case .accepted(let id):
      return .tell(.sent, vendorMessageID: id, nil)
    case .rejected(let errorClass, let message):
      // A vendor without keys rejects this call; what it did with the earlier one it does not say.
      if wasAmbiguous, !keysHold { return unknown(errorClass, message) }
      return .tell(.failed, vendorMessageID: nil, SendError(errorClass: errorClass, message: message))
    case .notTaken(let errorClass, let message, let retryAfter):
      if isLast {
        return wasAmbiguous
          ? unknown(errorClass, message) : .giveUp(SendError(errorClass: errorClass, message: message))
      }
      let next = wasAmbiguous ? position : (position + 1) % vendors.count
      let wait: SendRetry.Wait =
        next > position
        ? .none
        : .backoff(step: Int(route.calls) / max(1, wasAmbiguous ? 1 : vendors.count), atLeast: retryAfter ?? .zero)
      return .retry(SendRetry(position: next, wait: wait, isAmbiguous: wasAmbiguous))
    case .ambiguous(let errorClass, let message):
      guard keysHold, !isLast else { return unknown(errorClass, message) }
      return .retry(
        SendRetry(position: position, wait: .backoff(step: Int(route.calls), atLeast: .zero), isAmbiguous: true))
    }
  }
}
