import CRMCore
import Crypto
import HTTP
import JSON

/// A call of `POST /v1/messages` that has passed all checks.
struct MessageRequest: Sendable {
  /// Code points of a message at most.
  static let messageLimit = 20_000

  var sendID: String
  /// Of the `Idempotency-Key` header; nil when the caller sent none.
  var idempotencyKey: String?
  var to: String
  var message: String
  /// Where this message's receipt goes instead of `RECEIPT_URL`.
  var callbackURL: String?

  /// - Throws: `ValidationError` with every field that is wrong.
  init(_ body: [UInt8], idempotencyKey: String?) throws(ValidationError) {
    let json: JSONValue
    do throws(JSONError) {
      json = try JSONValue.parse(body)
    } catch {
      throw ValidationError(field: "body", code: "malformed_json", message: "\(error)")
    }
    var reader = ObjectReader(json)
    let sendID = reader.string("send_id", required: true, length: 1...200, trimming: false)
    let channel: Channel? = reader.choice("channel", required: true)
    let to = reader.string("to", required: true, length: 1...254, trimming: false)
    let message = reader.string("message", required: true, length: 1...MessageRequest.messageLimit, trimming: false)
    let callbackURL = reader.parsed("callback_url", MessageRequest.webAddress)
    if let channel, let to, !MessageRequest.isAddress(to, channel) {
      let expected = channel == .email ? "an e-mail address" : "a number in E.164 form, + and 7 to 15 digits"
      reader.reject("to", FieldProblem("invalid_address", "must be \(expected)"))
    }
    if let idempotencyKey, idempotencyKey.isEmpty || idempotencyKey.utf8.count > 255 {
      reader.reject("Idempotency-Key", FieldProblem("out_of_range", "must have 1 to 255 bytes"))
    }
    let request = reader.result { () -> MessageRequest? in
      guard let sendID, let to, let message else { return nil }
      return MessageRequest(
        sendID: sendID, idempotencyKey: idempotencyKey, to: to, message: message, callbackURL: callbackURL)
    }
    self = try request.get()
  }

  private init(sendID: String, idempotencyKey: String?, to: String, message: String, callbackURL: String?) {
    self.sendID = sendID
    self.idempotencyKey = idempotencyKey
    self.to = to
    self.message = message
    self.callbackURL = callbackURL
  }

  /// The key under which a text is indexed: a UUID is its own, other text is hashed.
  static func indexKey(_ text: String) -> UUIDBytes {
    UUIDBytes(text) ?? UUIDBytes(v5: text, namespace: indexNamespace)
  }

  private static let indexNamespace = UUIDBytes(high: 0x3f2c_9d54_6a1b_4e07, low: 0x9c41_7be0_5d28_aa13)

  private static func isAddress(_ address: String, _ channel: Channel) -> Bool {
    switch channel {
    case .whatsapp, .sms: (try? PhoneNumber.normalise(address).get()) == address
    case .email: (try? EmailAddress.normalise(address).get()) != nil
    }
  }

  private static func webAddress(_ text: String) -> Result<String, FieldProblem> {
    let rest = ["http://", "https://"].first(where: text.hasPrefix).map { text.utf8.dropFirst($0.utf8.count) }
    guard let rest, !rest.isEmpty, rest.first != UInt8(ascii: "/"), rest.count <= 2048,
      rest.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
    else { return .failure(FieldProblem("invalid_url", "must be an http or https URL of at most 2048 bytes")) }
    return .success(text)
  }
}
