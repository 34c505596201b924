import CRMCore
import CRMMessaging
import JSON

extension Schema {
  static let sendError = object([.required("class", string), .required("message", string)])

  private static let receipt = named(
    "Receipt",
    closedObject([
      .required("send_id", uuid), .required("vendor", text(1...100)), .required("vendor_message_id", text(1...200)),
      .required("status", choice(DeliveryReceipt.statuses.map(\.rawValue))),
      .optional(
        "error", closedObject([.required("class", text(1...200)), .required("message", string(0...2_000))])),
      .required("timestamp", timestamp.described("When it happened, by the vendor's clock")),
    ]))

  /// One receipt or many.
  static func receipts(atMost limit: Int) -> Schema { anyOf([receipt, array(of: receipt, count: 1...limit)]) }

  static let deliveryStatus = named(
    "DeliveryStatus",
    object([
      .required("accepting", boolean), .required("kafka", connection), .required("receipts_accepted", count),
      .required("requests_refused", count), .required("records_waiting", count),
    ]))
}

extension [Operation.Parameter] {
  /// The headers of the Standard Webhooks scheme.
  static let webhookSignature: [Operation.Parameter] = [
    .init(StandardWebhook.idHeader, .string, "The message's id", required: true),
    .init(StandardWebhook.timestampHeader, .string, "Seconds since 1970; at most five minutes off", required: true),
    .init(
      StandardWebhook.signatureHeader, .string,
      "`v1,` and base64 of HMAC-SHA256 over `<id>.<timestamp>.<body>`; several separated by spaces", required: true),
  ]
}
