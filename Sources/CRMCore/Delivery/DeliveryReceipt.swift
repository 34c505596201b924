import CivilTime
import Crypto
import JSON

/// A record of `delivery.receipts`: what the vendor says became of a message.
public struct DeliveryReceipt: Sendable, Hashable {
  /// The states that a vendor can tell.
  public static let statuses: [SendStatus] = [.sent, .delivered, .read, .failed]

  public var sendID: UUIDBytes
  public var vendor: String
  public var vendorMessageID: String
  /// One of `statuses`.
  public var status: SendStatus
  public var error: SendError?
  /// When it happened, by the vendor's clock.
  public var timestamp: Timestamp
  /// When the gateway took it in.
  public var receivedAt: Timestamp

  public init(
    sendID: UUIDBytes, vendor: String, vendorMessageID: String, status: SendStatus, error: SendError? = nil,
    timestamp: Timestamp, receivedAt: Timestamp
  ) {
    self.sendID = sendID
    self.vendor = vendor
    self.vendorMessageID = vendorMessageID
    self.status = status
    self.error = error
    self.timestamp = timestamp
    self.receivedAt = receivedAt
  }

  /// The receipt as evidence about its send.
  public var event: SendEvent {
    SendEvent(
      status: status, at: timestamp, source: .receipt, vendor: vendor, vendorMessageID: vendorMessageID, error: error)
  }

  public func encode(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.field("send_id", sendID)
    writer.field("vendor", vendor)
    writer.field("vendor_message_id", vendorMessageID)
    writer.field("status", status.rawValue)
    writer.field("error", error)
    writer.field("timestamp", timestamp)
    writer.field("received_at", receivedAt)
    writer.endObject()
  }

  public func encoded() -> [UInt8] {
    var writer = JSONWriter(reservingCapacity: 320)
    encode(to: &writer)
    return writer.bytes
  }

  public static func decode(_ bytes: [UInt8]) throws(RecordError) -> DeliveryReceipt {
    let reader = try RecordReader(
      bytes, fields: ["send_id", "vendor", "vendor_message_id", "status", "error", "timestamp", "received_at"])
    return DeliveryReceipt(
      sendID: try reader.uuid("send_id"), vendor: try reader.string("vendor"),
      vendorMessageID: try reader.string("vendor_message_id"), status: try reader.choice("status", statuses),
      error: try reader.sendError("error"), timestamp: try reader.timestamp("timestamp"),
      receivedAt: try reader.timestamp("received_at"))
  }
}

extension DeliveryReceipt {
  /// The states a vendor can tell, as an input's choice.
  private enum InputStatus: String, CaseIterable {
    case sent = "SENT"
    case delivered = "DELIVERED"
    case read = "READ"
    case failed = "FAILED"
  }

  /// A receipt as a vendor sends it to the webhook: the record without `received_at`. Reports every bad field.
  public static func decode(
    webhook json: JSONValue, path: String = "", receivedAt: Timestamp
  ) -> Result<DeliveryReceipt, ValidationError> {
    var reader = ObjectReader(json, path: path)
    let sendID = reader.uuid("send_id", required: true)
    let vendor = reader.string("vendor", required: true, length: 1...100)
    let messageID = reader.string("vendor_message_id", required: true, length: 1...200)
    let status = reader.choice("status", of: InputStatus.self, required: true)
      .flatMap { SendStatus(rawValue: $0.rawValue) }
    let error = reader.nested("error") { nested -> SendError? in
      let errorClass = nested.string("class", required: true, length: 1...200)
      let message = nested.string("message", required: true, length: 0...2_000)
      guard let errorClass, let message else { return nil }
      return SendError(errorClass: errorClass, message: message)
    }
    let timestamp = reader.timestamp("timestamp", required: true)
    return reader.result {
      guard let sendID, let vendor, let messageID, let status, let timestamp else { return nil }
      return DeliveryReceipt(
        sendID: sendID, vendor: vendor, vendorMessageID: messageID, status: status, error: error,
        timestamp: timestamp, receivedAt: receivedAt)
    }
  }
}
