import CRMCore
import Crypto

/// What came of one vendor call.
enum VendorOutcome: Sendable, Equatable {
  /// The vendor took the message.
  case accepted(vendorMessageID: String)
  /// The vendor will never take this message: no retry.
  case rejected(errorClass: String, message: String)
  /// The vendor certainly did not take it this time: trying again is safe with any vendor.
  case notTaken(errorClass: String, message: String, retryAfter: Duration?)
  /// Nobody can know whether the vendor took it: trying again is safe only under the same key at the same vendor.
  case ambiguous(errorClass: String, message: String)

  var label: String {
    switch self {
    case .accepted: "accepted"
    case .rejected: "rejected"
    case .notTaken: "not_taken"
    case .ambiguous: "ambiguous"
    }
  }

  /// Counts against the vendor in the circuit breaker. A rejection is an answer: the vendor works.
  var isFailure: Bool {
    switch self {
    case .accepted, .rejected: false
    case .notTaken, .ambiguous: true
    }
  }
}

/// A messaging vendor.
protocol Vendor: Sendable {
  var name: String { get }
  /// Whether a repeated call under the same key sends nothing twice.
  var honoursIdempotencyKeys: Bool { get }
  /// Makes one call; never throws: every failure is an outcome. Bounded by the vendor's time-out.
  func send(_ job: SendJob) async -> VendorOutcome
  /// Whether the vendor answers at all.
  func heartbeat() async -> Bool
}
