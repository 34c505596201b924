import CRMCore
import Crypto
import HTTP
import JSON

/// A call of `POST /v1/messages` that has passed all checks.
struct MessageRequest: Sendable {
  /// Bytes of a message at most.
  static let messageLimit = 20_000

  var sendID: String
  /// Of the `Idempotency-Key` header; nil when the caller sent none.
  var idempotencyKey: String?
  var to: String
  var message: String
  /// Where this message's receipt goes instead of `RECEIPT_URL`.
  var callbackURL: String?

  /// - Throws: `InvalidInput` with every field that is wrong.
  init(_ body: [UInt8], idempotencyKey: String?) throws(InvalidInput) {
    let json: JSONValue
    do throws(JSONError) {
      json = try JSONValue.parse(body)
    } catch {
      throw InvalidInput(problems: [.init(field: "body", code: "malformed_json", message: "\(error)")])
    }
    var fields = FieldReader(json, path: "")
    sendID = fields.text("send_id", 1...200)
    to = fields.text("to", 1...320)
    message = fields.text("message", 1...MessageRequest.messageLimit, multiline: true)
    let channel = fields.text("channel", 1...20)
    callbackURL = fields.optionalText("callback_url", 1...2048)
    self.idempotencyKey = idempotencyKey
    if let idempotencyKey, idempotencyKey.isEmpty || idempotencyKey.utf8.count > 255 {
      fields.fail("Idempotency-Key", "too_long", "must have 1 to 255 bytes")
    }
    if let callbackURL, !MessageRequest.isWebAddress(callbackURL) {
      fields.fail("callback_url", "invalid_url", "must be an http or https URL")
    }
    if let known = Channel(rawValue: channel) {
      if !to.isEmpty, !MessageRequest.isAddress(to, known) {
        fields.fail(
          "to", "invalid_address",
          known == .email ? "must be an e-mail address" : "must be + and 7 to 15 digits")
      }
    } else if !channel.isEmpty {
      fields.fail("channel", "unknown_value", "must be one of whatsapp, sms, email")
    }
    try fields.finish()
  }

  /// The key under which a text is indexed: a UUID is its own, other text is hashed.
  static func indexKey(_ text: String) -> UUIDBytes {
    UUIDBytes(text) ?? UUIDBytes(v5: text, namespace: indexNamespace)
  }

  private static let indexNamespace = UUIDBytes(high: 0x3f2c_9d54_6a1b_4e07, low: 0x9c41_7be0_5d28_aa13)

  private static func isAddress(_ address: String, _ channel: Channel) -> Bool {
    switch channel {
    case .whatsapp, .sms:
      let digits = address.utf8.dropFirst()
      return address.utf8.first == UInt8(ascii: "+") && (7...15).contains(digits.count)
        && digits.allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
    case .email:
      let parts = address.utf8.split(separator: UInt8(ascii: "@"), omittingEmptySubsequences: false)
      return parts.count == 2 && parts.allSatisfy { !$0.isEmpty } && !address.utf8.contains(UInt8(ascii: " "))
    }
  }

  private static func isWebAddress(_ text: String) -> Bool {
    for scheme in ["http://", "https://"] where text.hasPrefix(scheme) {
      let rest = text.utf8.dropFirst(scheme.utf8.count)
      return !rest.isEmpty && rest.first != UInt8(ascii: "/") && rest.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    }
    return false
  }
}
