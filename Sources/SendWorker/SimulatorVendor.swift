import CRMCore
import HTTP
import JSON

/// The simulator's API: `POST /v1/messages` under an idempotency key.
struct SimulatorVendor: Vendor {
  let name = "simulator"
  let honoursIdempotencyKeys = true

  private let client: HTTPClient
  private let messagesURL: String
  private let healthURL: String
  private let timeouts: HTTPClientRequest.Timeouts

  init(client: HTTPClient, baseURL: String, timeout: Duration) {
    self.client = client
    let base = baseURL.hasSuffix("/") ? String(baseURL.dropLast()) : baseURL
    messagesURL = base + "/v1/messages"
    healthURL = base + "/health"
    timeouts = HTTPClientRequest.Timeouts(connect: min(timeout, .seconds(3)), total: timeout)
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

  func heartbeat() async -> Bool {
    let request = HTTPClientRequest(.get, healthURL, timeouts: timeouts)
    guard let response = try? await client.execute(request) else { return false }
    return response.status == 200
  }

  /// A 4xx that will not change is a rejection, 408 and 429 say that nothing was taken, and after a 5xx nobody knows.
  static func outcome(_ response: HTTPClientResponse) -> VendorOutcome {
    let answer = try? JSONValue.parse(response.body)
    let detail = answer?["detail"]?.stringValue ?? "the vendor answered \(response.status)"
    switch response.status {
    case 200..<300:
      guard let id = answer?["vendor_message_id"]?.stringValue else {
        return .ambiguous(errorClass: "unreadable_answer", message: "the vendor's answer names no message id")
      }
      return .accepted(vendorMessageID: id)
    case 408, 425, 429:
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
}
