import BSON
import CivilTime

/// When a send was first seen in each state. States can be missing: a READ receipt may be the first that is heard.
public struct SendHistory: Sendable, Hashable {
  public var queuedAt: Timestamp?
  public var sendingAt: Timestamp?
  public var skippedAt: Timestamp?
  public var cancelledAt: Timestamp?
  public var unknownAt: Timestamp?
  public var sentAt: Timestamp?
  public var failedAt: Timestamp?
  public var deliveredAt: Timestamp?
  public var readAt: Timestamp?

  public init() {}

  /// The time of a state; PENDING has none, since its row does not exist.
  public subscript(status: SendStatus) -> Timestamp? {
    get {
      switch status {
      case .pending: nil
      case .queued: queuedAt
      case .sending: sendingAt
      case .skipped: skippedAt
      case .cancelled: cancelledAt
      case .unknown: unknownAt
      case .sent: sentAt
      case .failed: failedAt
      case .delivered: deliveredAt
      case .read: readAt
      }
    }
    set {
      switch status {
      case .pending: break
      case .queued: queuedAt = newValue
      case .sending: sendingAt = newValue
      case .skipped: skippedAt = newValue
      case .cancelled: cancelledAt = newValue
      case .unknown: unknownAt = newValue
      case .sent: sentAt = newValue
      case .failed: failedAt = newValue
      case .delivered: deliveredAt = newValue
      case .read: readAt = newValue
      }
    }
  }

  /// Notes that the state was seen at a time; the earliest stays.
  public mutating func record(_ status: SendStatus, at time: Timestamp) {
    self[status] = self[status].map { min($0, time) } ?? time
  }

  /// The fields of a log row of which the first that it has tells when the row was made: whatever becomes of a send, it begins
  /// in one of three ways.
  public static let beginnings = [SendStatus.queued, .skipped, .cancelled].compactMap(field)

  /// The field of a log row that holds a state's time; nil for PENDING.
  public static func field(_ status: SendStatus) -> String? {
    switch status {
    case .pending: nil
    case .queued: "queued_at"
    case .sending: "sending_at"
    case .skipped: "skipped_at"
    case .cancelled: "cancelled_at"
    case .unknown: "unknown_at"
    case .sent: "sent_at"
    case .failed: "failed_at"
    case .delivered: "delivered_at"
    case .read: "read_at"
    }
  }
}
