import BSON
import CivilTime
import Crypto
import JSON

/// A record of `campaign.status_updates`: what came of a send job.
public struct StatusUpdate: Sendable, Hashable {
  /// The states that an outcome can tell.
  public static let statuses: [SendStatus] = [.sent, .failed, .unknown, .skipped]
  /// The `vendor` of an outcome for which no vendor was called.
  public static let noVendor = "none"

  public var sendID: UUIDBytes
  public var campaignID: ObjectID
  public var leadID: ObjectID
  /// One of `statuses`.
  public var status: SendStatus
  public var attempt: Int32
  public var vendor: String
  public var vendorMessageID: String?
  public var error: SendError?
  public var timestamp: Timestamp

  public init(
    sendID: UUIDBytes, campaignID: ObjectID, leadID: ObjectID, status: SendStatus, attempt: Int32,
    vendor: String = noVendor, vendorMessageID: String? = nil, error: SendError? = nil, timestamp: Timestamp
  ) {
    self.sendID = sendID
    self.campaignID = campaignID
    self.leadID = leadID
    self.status = status
    self.attempt = attempt
    self.vendor = vendor
    self.vendorMessageID = vendorMessageID
    self.error = error
    self.timestamp = timestamp
  }

  /// The update as evidence about its send.
  ///
  /// - Parameter worker: who told it, for the log.
  public func event(worker: String = "") -> SendEvent {
    SendEvent(
      status: status, at: timestamp, source: .outcome(worker: worker),
      vendor: vendor == Self.noVendor ? nil : vendor, vendorMessageID: vendorMessageID, error: error, attempt: attempt)
  }

  public func encode(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.field("send_id", sendID)
    writer.field("campaign_id", campaignID)
    writer.field("lead_id", leadID)
    writer.field("status", status.rawValue)
    writer.field("attempt", Int64(attempt))
    writer.field("vendor", vendor)
    if let vendorMessageID { writer.field("vendor_message_id", vendorMessageID) }
    writer.field("error", error)
    writer.field("timestamp", timestamp)
    writer.endObject()
  }

  public func encoded() -> [UInt8] {
    var writer = JSONWriter(reservingCapacity: 384)
    encode(to: &writer)
    return writer.bytes
  }

  public static func decode(_ bytes: [UInt8]) throws(RecordError) -> StatusUpdate {
    let reader = try RecordReader(
      bytes,
      fields: [
        "send_id", "campaign_id", "lead_id", "status", "attempt", "vendor", "vendor_message_id", "error", "timestamp",
      ])
    return StatusUpdate(
      sendID: try reader.uuid("send_id"), campaignID: try reader.objectID("campaign_id"),
      leadID: try reader.objectID("lead_id"), status: try reader.choice("status", statuses),
      attempt: try reader.attempt("attempt"), vendor: try reader.string("vendor"),
      vendorMessageID: try reader.optionalString("vendor_message_id"), error: try reader.sendError("error"),
      timestamp: try reader.timestamp("timestamp"))
  }
}
