/// What came of one vendor call.
public enum VendorOutcome: Sendable, Equatable {
  /// The vendor took the message.
  case accepted(vendorMessageID: String)
  /// The vendor will never take this message, and no other vendor would: no retry.
  case rejected(errorClass: String, message: String)
  /// The vendor certainly did not take it this time: trying again is safe with any vendor.
  case notTaken(errorClass: String, message: String, retryAfter: Duration?)
  /// Nobody can know whether the vendor took it: trying again is safe only under the same key at the same vendor.
  case ambiguous(errorClass: String, message: String)

  public var label: String {
    switch self {
    case .accepted: "accepted"
    case .rejected: "rejected"
    case .notTaken: "not_taken"
    case .ambiguous: "ambiguous"
    }
  }

  /// Counts against the vendor in the circuit breaker. A rejection is an answer: the vendor works.
  public var isFailure: Bool {
    switch self {
    case .accepted, .rejected: false
    case .notTaken, .ambiguous: true
    }
  }
}

/// What a vendor promises about repeated calls under one idempotency key.
public enum KeyPromise: Sendable, Equatable {
  /// Nothing: each call that it takes is a message.
  case none
  /// Within this time after the first call, a repeated one makes no second message.
  case honoured(Duration)

  /// Whether a call may be repeated when the first one of unknown outcome is so long ago.
  public func covers(_ age: Duration) -> Bool {
    switch self {
    case .none: false
    case .honoured(let lifetime): age < lifetime
    }
  }
}
