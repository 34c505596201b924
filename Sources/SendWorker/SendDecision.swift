import CRMCore
import Runtime

/// What follows from a vendor call.
enum SendDecision: Sendable, Equatable {
  /// Tell this outcome; the send is done, or nobody can decide it.
  case tell(SendStatus, vendorMessageID: String?, SendError?)
  /// Store a not-before time and let go.
  case retry(after: Duration)
  /// Tell FAILED and put the job on the dead letters: attempts are used up.
  case giveUp(SendError)
}

/// The policy of retries: one layer, by a stored not-before time.
struct SendPolicy: Sendable {
  let maxAttempts: Int32
  let backoff: Backoff
  let honoursIdempotencyKeys: Bool

  /// - Parameter attempt: of the call that was made, from 1.
  func decide(_ outcome: VendorOutcome, attempt: Int32) -> SendDecision {
    switch outcome {
    case .accepted(let id):
      return .tell(.sent, vendorMessageID: id, nil)
    case .rejected(let errorClass, let message):
      return .tell(.failed, vendorMessageID: nil, SendError(errorClass: errorClass, message: message))
    case .notTaken(let errorClass, let message, let retryAfter):
      guard attempt < maxAttempts else {
        return .giveUp(SendError(errorClass: errorClass, message: message))
      }
      return .retry(after: max(retryAfter ?? .zero, backoff.delay(attempt: Int(attempt) - 1)))
    case .ambiguous(let errorClass, let message):
      guard honoursIdempotencyKeys, attempt < maxAttempts else {
        return .tell(.unknown, vendorMessageID: nil, SendError(errorClass: errorClass, message: message))
      }
      return .retry(after: backoff.delay(attempt: Int(attempt) - 1))
    }
  }
}
