import CivilTime

/// One message that a vendor has for a send.
public struct VendorMessage: Sendable, Hashable {
  public var vendorMessageID: String
  /// SENT while the vendor still works on it; else DELIVERED, READ or FAILED.
  public var status: SendStatus
  public var error: SendError?
  /// When it got this status, by the vendor's clock.
  public var at: Timestamp

  public init(vendorMessageID: String, status: SendStatus, error: SendError? = nil, at: Timestamp) {
    self.vendorMessageID = vendorMessageID
    self.status = status
    self.error = error
    self.at = at
  }
}

/// What a vendor says when it is asked about a send.
public enum VendorAnswer: Sendable, Equatable {
  /// Its messages for the send; none means that it knows of no call, which may still be under way.
  case messages([VendorMessage])
  /// It does not answer now.
  case unavailable
  /// It has no way to be asked, or nobody knows which vendor to ask.
  case cannotBeAsked
}

/// A send that is asked about: one that is UNKNOWN, or one that has been SENT for long without a receipt.
public struct Inquiry: Sendable, Equatable {
  public var status: SendStatus
  /// Since when it has been in that state.
  public var age: Duration
  /// How often it was asked about, this time included.
  public var asked: Int
  /// How often it was sent again because nothing resolved it.
  public var resends: Int
  public var policy: DeliveryPolicy

  public init(status: SendStatus, age: Duration, asked: Int, resends: Int = 0, policy: DeliveryPolicy) {
    self.status = status
    self.age = age
    self.asked = asked
    self.resends = resends
    self.policy = policy
  }
}

/// What follows from asking.
public enum InquiryDecision: Sendable, Equatable {
  /// Tell these messages: they are evidence.
  case tell([VendorMessage])
  /// Nothing new; ask again when its time has come.
  case askAgain
  /// Nothing resolved it within the deadline, and the campaign would rather send twice than not at all: send it again
  /// under the same send id.
  case resend
  /// Do not ask any more. The send keeps its state.
  case stop
}

/// When a send that nobody can decide is asked about, sent again, or left. Pure.
public struct InquiryPolicy: Sendable {
  /// How long an UNKNOWN send waits for something that resolves it.
  public let deadline: Duration
  /// Questions about one send at most, since it got its state.
  public static let maxAsked = 24
  /// How often a send is sent again at most. Each time is a cycle of attempts of its own.
  public static let maxResends = 5

  public init(deadline: Duration) { self.deadline = deadline }

  public func decide(_ answer: VendorAnswer, _ inquiry: Inquiry) -> InquiryDecision {
    if case .messages(let messages) = answer, messages.contains(where: { $0.status > inquiry.status }) {
      return .tell(messages)
    }
    if inquiry.status == .unknown, inquiry.policy == .atLeastOnce, inquiry.resends < Self.maxResends {
      return inquiry.age >= deadline ? .resend : .askAgain
    }
    return answer == .cannotBeAsked || inquiry.asked >= Self.maxAsked ? .stop : .askAgain
  }
}
