import CivilTime
import Crypto
import Foundation

/// Why a webhook's signature is refused. The sender has to sign anew; none of these says how close it came.
public enum WebhookSignatureError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A header that the scheme demands is absent or empty.
  case missing(header: String)
  /// The timestamp is no integer of seconds.
  case malformedTimestamp
  /// The timestamp is further from the receiver's clock than the tolerance allows: a replay, or a wrong clock.
  case stale
  /// No signature in the list fits the body.
  case mismatch

  public var description: String {
    switch self {
    case .missing(let header): "the header \(header) is missing"
    case .malformedTimestamp: "webhook-timestamp is not a number of seconds since 1970"
    case .stale: "webhook-timestamp is outside the tolerance of five minutes"
    case .mismatch: "no signature in webhook-signature fits the body"
    }
  }
}

/// A secret that is not `whsec_` followed by base64.
public struct WebhookSecretError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Which of the secrets, counted from 1. The secret itself is never shown.
  public let position: Int

  public var description: String { "webhook secret \(position) is not whsec_ followed by base64 of 1 to 512 bytes" }
}

/// Signs and verifies bodies by the Standard Webhooks scheme: HMAC-SHA256 over `<id>.<timestamp>.<body>`.
///
/// <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>. Several secrets let one
/// be replaced without a pause: the first signs, each of them verifies.
public struct StandardWebhook: Sendable {
  public static let idHeader = "webhook-id"
  public static let timestampHeader = "webhook-timestamp"
  public static let signatureHeader = "webhook-signature"

  /// How far a timestamp may lie from the receiver's clock, to either side.
  public static let tolerance = Duration.seconds(300)

  /// Signatures looked at in one header; more than a rotation can need, few enough to cost nothing.
  private static let signatureLimit = 16

  private let keys: [[UInt8]]

  /// - Parameter secrets: `whsec_<base64>`, at least one.
  public init(secrets: [String]) throws(WebhookSecretError) {
    var keys: [[UInt8]] = []
    for (index, secret) in secrets.enumerated() {
      guard secret.hasPrefix("whsec_"), let key = Data(base64Encoded: String(secret.dropFirst(6))), !key.isEmpty,
        key.count <= 512
      else { throw WebhookSecretError(position: index + 1) }
      keys.append(Array(key))
    }
    guard !keys.isEmpty else { throw WebhookSecretError(position: 1) }
    self.keys = keys
  }

  /// The value of `webhook-signature` for a body, made with the first secret.
  ///
  /// - Parameter timestamp: seconds since 1970, as `webhook-timestamp` carries them.
  public func sign(id: String, timestamp: Int64, body: [UInt8]) -> String {
    let content = StandardWebhook.content(id: id, timestamp: String(timestamp), body: body)
    return String(decoding: signature(content, keys[0]), as: UTF8.self)
  }

  /// Verifies the three headers of a request against its raw body.
  ///
  /// - Throws: `WebhookSignatureError`; answer 401 and tell the sender no more than its description.
  public func verify(
    id: String?, timestamp: String?, signature header: String?, body: [UInt8], now: Timestamp
  ) throws(WebhookSignatureError) {
    guard let id, !id.isEmpty else { throw .missing(header: StandardWebhook.idHeader) }
    guard let timestamp, !timestamp.isEmpty else { throw .missing(header: StandardWebhook.timestampHeader) }
    guard let header, !header.isEmpty else { throw .missing(header: StandardWebhook.signatureHeader) }
    guard timestamp.utf8.count <= 12, let seconds = Int64(timestamp) else { throw .malformedTimestamp }
    let age = now.since(Timestamp(milliseconds: seconds * 1000))
    guard age <= StandardWebhook.tolerance, age >= .zero - StandardWebhook.tolerance else { throw .stale }
    let content = StandardWebhook.content(id: id, timestamp: timestamp, body: body)
    let expected = keys.map { signature(content, $0) }
    for candidate in header.utf8.split(separator: UInt8(ascii: " ")).prefix(StandardWebhook.signatureLimit) {
      let candidate = Array(candidate)
      // Every key is compared, so that the time does not tell which of them fits.
      var fits = false
      for signature in expected where constantTimeEqual(candidate, signature) { fits = true }
      if fits { return }
    }
    throw .mismatch
  }

  private static func content(id: String, timestamp: String, body: [UInt8]) -> [UInt8] {
    var content: [UInt8] = []
    content.reserveCapacity(id.utf8.count + timestamp.utf8.count + body.count + 2)
    content.append(contentsOf: id.utf8)
    content.append(UInt8(ascii: "."))
    content.append(contentsOf: timestamp.utf8)
    content.append(UInt8(ascii: "."))
    content.append(contentsOf: body)
    return content
  }

  /// `v1,<base64 of the code>`
  private func signature(_ content: [UInt8], _ key: [UInt8]) -> [UInt8] {
    Array("v1,".utf8) + Data(HMACSHA256.authenticate(content, key: key)).base64EncodedData()
  }
}
