import CivilTime
import JSON

/// Why a send failed, was skipped or is unknown.
public struct SendError: Sendable, Hashable {
  /// For programs: `invalid_number`, `opted_out`, `timeout`, …
  public var errorClass: String
  /// For people.
  public var message: String

  public init(errorClass: String, message: String) {
    self.errorClass = errorClass
    self.message = message
  }

  public var jsonValue: JSONValue { ["class": .string(errorClass), "message": .string(message)] }
}

extension SendError: Comparable {
  public static func < (left: SendError, right: SendError) -> Bool {
    (left.errorClass, left.message) < (right.errorClass, right.message)
  }
}

/// One piece of evidence about a send.
public struct SendEvent: Sendable, Hashable {
  public enum Source: Sendable, Hashable {
    /// Told by a send worker.
    case outcome(worker: String)
    /// Told by the vendor.
    case receipt
  }

  public var status: SendStatus
  /// When it happened, by the clock of whoever tells it.
  public var at: Timestamp
  public var source: Source
  public var vendor: String?
  public var vendorMessageID: String?
  public var error: SendError?
  public var attempt: Int32?

  public init(
    status: SendStatus, at: Timestamp, source: Source, vendor: String? = nil, vendorMessageID: String? = nil,
    error: SendError? = nil, attempt: Int32? = nil
  ) {
    self.status = status
    self.at = at
    self.source = source
    self.vendor = vendor
    self.vendorMessageID = vendorMessageID
    self.error = error
    self.attempt = attempt
  }

  var evidence: Evidence {
    switch source {
    case .outcome: .outcome
    case .receipt: .receipt
    }
  }
}

/// Evidence that contradicts what was known, or what should be possible. It is applied where the order of states says so,
/// and always counted: `minicrm_receipt_anomalies_total{kind}`.
public struct SendAnomaly: Sendable, Hashable {
  public enum Kind: String, CaseIterable, Sendable {
    /// A message arrived that was said to have failed.
    case deliveredAfterFailed = "delivered_after_failed"
    /// A message is said to have failed that arrived.
    case failedAfterDelivered = "failed_after_delivered"
    /// The vendor took a message at a later time than that at which it failed.
    case sentAfterFailed = "sent_after_failed"
    /// A vendor was called for a send that was cancelled.
    case evidenceAfterCancelled = "evidence_after_cancelled"
    /// A vendor was called for a send that was skipped.
    case evidenceAfterSkipped = "evidence_after_skipped"
    /// The vendor has two messages for one send: the lead may have been messaged twice.
    case vendorMessageConflict = "vendor_message_conflict"
  }

  public let kind: Kind
  public let event: SendEvent
}
