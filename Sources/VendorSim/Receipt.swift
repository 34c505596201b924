import CRMCore
import CRMMessaging
import CivilTime
import HTTP
import JSON

/// A receipt ready to be posted.
struct Receipt: Sendable {
  let id: VendorMessageID
  let address: String
  let body: [UInt8]
  let acceptedAt: Timestamp

  /// - Parameter defaultAddress: for messages that named no callback.
  init(_ id: VendorMessageID, _ entry: LedgerEntry, defaultAddress: String) {
    self.id = id
    address = entry.callbackURL ?? defaultAddress
    acceptedAt = entry.line.at
    var writer = JSONWriter(reservingCapacity: 256)
    writer.beginObject()
    writer.key("send_id")
    writer.raw(entry.line.sendID)
    writer.field("vendor", Receipt.vendor)
    writer.field("vendor_message_id", id.description)
    writer.field("status", entry.plan.status)
    if entry.plan.failed {
      writer.key("error")
      Receipt.writeError(to: &writer)
    }
    writer.field("timestamp", entry.plan.settlesAt.description)
    writer.endObject()
    body = writer.bytes
  }

  /// The request, signed now. Attempts and copies share the webhook's id, since they tell the same.
  func request(signedBy webhook: StandardWebhook, at now: Timestamp) -> HTTPClientRequest {
    let webhookID = "receipt_\(id)"
    let seconds = now.milliseconds / 1000
    var headers = HTTPHeaders()
    headers.add("Content-Type", "application/json")
    headers.add(StandardWebhook.idHeader, webhookID)
    headers.add(StandardWebhook.timestampHeader, String(seconds))
    headers.add(StandardWebhook.signatureHeader, webhook.sign(id: webhookID, timestamp: seconds, body: body))
    return HTTPClientRequest(
      .post, address, headers: headers, body: body, timeouts: Receipt.timeouts, maxResponseBytes: 1 << 16)
  }

  /// As receipts and answers name this vendor.
  static let vendor = "simulator"

  static func writeError(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.field("class", "undeliverable")
    writer.field("message", "the recipient could not be reached")
    writer.endObject()
  }

  private static let timeouts = HTTPClientRequest.Timeouts(connect: .seconds(2), total: .seconds(15))
}

extension ReceiptPlan {
  /// The status that the receipt tells.
  var status: String { failed ? SendStatus.failed.rawValue : SendStatus.delivered.rawValue }
}
