import CRMCore
import CivilTime
import Crypto
import HTTP
import JSON

/// A vendor that speaks the simulator's API: `POST /v1/messages` under an idempotency key, `GET /v1/messages?send_id=`.
struct SimulatorVendor: Vendor {
  let terms: VendorTerms

  private let client: HTTPClient
  private let messagesURL: String
  private let healthURL: String
  private let timeouts: HTTPClientRequest.Timeouts
  private let questionTimeouts: HTTPClientRequest.Timeouts

  /// Messages of one send that are told; a vendor without keys may have several.
  private static let mostMessages = 10

  init(client: HTTPClient, terms: VendorTerms, timeout: Duration) {
    self.client = client
    self.terms = terms
    let base = terms.url.hasSuffix("/") ? String(terms.url.dropLast()) : terms.url
    messagesURL = base + "/v1/messages"
    healthURL = base + "/health"
    timeouts = HTTPClientRequest.Timeouts(connect: min(timeout, .seconds(3)), total: timeout)
    questionTimeouts = HTTPClientRequest.Timeouts(
      connect: min(timeout, .seconds(3)), total: min(timeout, .seconds(5)))
  }

  func send(_ job: SendJob) async -> VendorOutcome {
    let id = job.sendID.string
    var body = JSONWriter(reservingCapacity: 256 + job.message.utf8.count)
    body.beginObject()
    body.field("send_id", id)
    body.field("to", job.to)
    body.field("message", job.message)
    body.field("channel", job.channel.rawValue)
    body.endObject()
    let request = HTTPClientRequest(
      .post, messagesURL,
      headers: ["Content-Type": "application/json", "Idempotency-Key": id, "X-Correlation-Id": id],
      body: body.bytes, timeouts: timeouts, maxResponseBytes: 64 * 1024)
    do throws(HTTPClientError) {
      return SimulatorVendor.outcome(try await client.execute(request))
    } catch {
      return error.requestMayHaveBeenSent
        ? .ambiguous(errorClass: "no_answer", message: "\(error)")
        : .notTaken(errorClass: "unreachable", message: "\(error)", retryAfter: nil)
    }
  }

  func ask(_ sendID: UUIDBytes) async -> VendorAnswer {
    guard terms.canBeAsked else { return .cannotBeAsked }
    let request = HTTPClientRequest(
      .get, "\(messagesURL)?send_id=\(sendID.string)", timeouts: questionTimeouts, maxResponseBytes: 1 << 20)
    guard let response = try? await client.execute(request) else { return .unavailable }
    return SimulatorVendor.answer(response)
  }

  func heartbeat() async -> Bool {
    let request = HTTPClientRequest(.get, healthURL, timeouts: questionTimeouts)
    guard let response = try? await client.execute(request) else { return false }
    return response.status == 200
  }

  /// A 4xx about the message is a rejection; one about us, or about the moment, says that nothing was taken; after a 5xx
  /// nobody knows.
  static func outcome(_ response: HTTPClientResponse) -> VendorOutcome {
    let answer = try? JSONValue.parse(response.body)
    let detail = answer?["detail"]?.stringValue ?? "the vendor answered \(response.status)"
    switch response.status {
    case 200..<300:
      guard let id = answer?["vendor_message_id"]?.stringValue else {
        return .ambiguous(errorClass: "unreadable_answer", message: "the vendor's answer names no message id")
      }
      return .accepted(vendorMessageID: id)
    case 401, 402, 403, 404, 405, 408, 425, 429:
      let seconds = response.headers["Retry-After"].flatMap { Int($0) }
      return .notTaken(
        errorClass: "http_\(response.status)", message: detail,
        retryAfter: seconds.map { .seconds(min(max(0, $0), 3600)) })
    case 400..<500:
      return .rejected(errorClass: "http_\(response.status)", message: detail)
    default:
      return .ambiguous(errorClass: "http_\(response.status)", message: detail)
    }
  }

  /// `{"messages":[{"vendor_message_id","status","error"?,"updated_at"},…]}`
  static func answer(_ response: HTTPClientResponse) -> VendorAnswer {
    guard response.status == 200, let body = try? JSONValue.parse(response.body),
      let messages = body["messages"]?.arrayValue
    else { return .unavailable }
    return .messages(
      messages.prefix(mostMessages).compactMap { message in
        guard let id = message["vendor_message_id"]?.stringValue,
          let at = message["updated_at"]?.stringValue.flatMap({ Timestamp(rfc3339: $0) })
        else { return nil }
        let status = message["status"]?.stringValue.flatMap(SendStatus.init(rawValue:)) ?? .sent
        var failure: SendError?
        if let error = message["error"] {
          failure = SendError(
            errorClass: error["class"]?.stringValue ?? "failed", message: error["message"]?.stringValue ?? "")
        }
        return VendorMessage(
          vendorMessageID: id, status: DeliveryReceipt.statuses.contains(status) ? status : .sent, error: failure,
          at: at)
      })
  }
}
