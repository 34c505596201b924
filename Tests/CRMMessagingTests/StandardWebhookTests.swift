import CRMMessaging
import CivilTime
import Testing

@Suite struct StandardWebhookTests {
  private static let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
  private static let other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
  private static let body = Array(#"{"test": 2432232314}"#.utf8)
  private static let id = "msg_p5jXN8AQM9LWM0D4loKWxJek"
  private static let seconds: Int64 = 1_614_265_330
  private static let now = Timestamp(milliseconds: seconds * 1000)
  /// The published example of the scheme's reference libraries.
  private static let known = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

  private func verify(
    _ webhook: StandardWebhook, id: String? = id, timestamp: String? = String(seconds), signature: String? = known,
    body: [UInt8] = body, now: Timestamp = now
  ) throws(WebhookSignatureError) {
    try webhook.verify(id: id, timestamp: timestamp, signature: signature, body: body, now: now)
  }

  @Test func itSignsAsTheSchemesOwnExample() throws {
    let webhook = try StandardWebhook(secrets: [Self.secret])
    #expect(webhook.sign(id: Self.id, timestamp: Self.seconds, body: Self.body) == Self.known)
    try verify(webhook)
  }

  @Test func eachSecretVerifiesAndTheFirstSigns() throws {
    let rotating = try StandardWebhook(secrets: [Self.other, Self.secret])
    try verify(rotating)
    let signed = rotating.sign(id: Self.id, timestamp: Self.seconds, body: Self.body)
    try verify(try StandardWebhook(secrets: [Self.other]), signature: signed)
    #expect(throws: WebhookSignatureError.mismatch) {
      try verify(try StandardWebhook(secrets: [Self.secret]), signature: signed)
    }
  }

  @Test func oneFittingSignatureInTheListIsEnough() throws {
    let webhook = try StandardWebhook(secrets: [Self.secret])
    try verify(webhook, signature: "v1,bm90IGl0 v2,abc \(Self.known)")
    #expect(throws: WebhookSignatureError.mismatch) { try verify(webhook, signature: "v1,bm90IGl0 v1a,\(Self.known)") }
  }

  @Test func aChangedBodyIDOrTimeIsRefused() throws {
    let webhook = try StandardWebhook(secrets: [Self.secret])
    #expect(throws: WebhookSignatureError.mismatch) { try verify(webhook, body: Self.body + [0x20]) }
    #expect(throws: WebhookSignatureError.mismatch) { try verify(webhook, id: "msg_other") }
    #expect(throws: WebhookSignatureError.mismatch) { try verify(webhook, timestamp: String(Self.seconds + 1)) }
  }

  @Test(arguments: [Int64(-301), 301])
  func aTimestampBeyondTheToleranceIsStale(offset: Int64) throws {
    let webhook = try StandardWebhook(secrets: [Self.secret])
    let now = Timestamp(milliseconds: (Self.seconds + offset) * 1000)
    #expect(throws: WebhookSignatureError.stale) { try verify(webhook, now: now) }
  }

  @Test(arguments: [Int64(-300), 300])
  func aTimestampWithinTheTolerancePasses(offset: Int64) throws {
    let now = Timestamp(milliseconds: (Self.seconds + offset) * 1000)
    try verify(try StandardWebhook(secrets: [Self.secret]), now: now)
  }

  @Test func missingAndMalformedHeadersAreNamed() throws {
    let webhook = try StandardWebhook(secrets: [Self.secret])
    #expect(throws: WebhookSignatureError.missing(header: "webhook-id")) { try verify(webhook, id: nil) }
    #expect(throws: WebhookSignatureError.missing(header: "webhook-timestamp")) { try verify(webhook, timestamp: "") }
    #expect(throws: WebhookSignatureError.missing(header: "webhook-signature")) { try verify(webhook, signature: nil) }
    #expect(throws: WebhookSignatureError.malformedTimestamp) { try verify(webhook, timestamp: "today") }
    #expect(throws: WebhookSignatureError.malformedTimestamp) { try verify(webhook, timestamp: "99999999999999999999") }
  }

  @Test(arguments: ["", "secret", "whsec_", "whsec_???"])
  func secretsOfAnotherShapeAreRefused(secret: String) {
    let error = #expect(throws: WebhookSecretError.self) { try StandardWebhook(secrets: [Self.secret, secret]) }
    #expect(error?.position == 2)
  }
}
