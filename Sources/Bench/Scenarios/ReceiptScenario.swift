import BSON
import CRMMessaging
import CivilTime
import Crypto
import HTTP
import JSON
import Runtime

/// What sending receipts one a request came to.
struct ReceiptResult: Sendable {
  let receipts: Int
  let connections: Int
  /// Until the last was answered 202, which is after the broker has it.
  let seconds: Double
  /// Until the last was merged.
  let merged: Double
  /// Answers 503 that were repeated.
  let refused: Int
  let uses: [ProcessUse]
  let machine: MachineUse

  var perSecond: Double { Double(receipts) / seconds }
}

/// Scenario 3: signed receipts, one a request, over many connections: READ for messages of the campaign before, so that
/// each changes a row.
struct ReceiptScenario: Sendable {
  let api: APIClient
  let running: RunningStack
  let database: BenchDatabase
  let meter: ProcessMeter
  let campaign: CampaignScenario
  let connections: Int

  private static let mergeLimit: Duration = .seconds(60)

  func run(count: Int, _ checks: inout Checks) async throws -> ReceiptResult {
    let sends = try await database.delivered(limit: count)
    guard !sends.isEmpty else { throw BenchError("the campaign has no delivered message") }
    let url = api.baseURL + "/api/v1/delivery/receipt"
    let webhook = try StandardWebhook(secrets: running.webhookSecret.split(separator: ",").map(String.init))
    // Signed beforehand: what is measured is the receiver.
    let requests = try sends.map { try Self.request($0, url, webhook) }
    let client = try HTTPClient(maxConnectionsPerHost: connections, maxConcurrent: connections)
    do {
      let result = try await send(requests, client, &checks)
      await client.close()
      return result
    } catch {
      await client.close()
      throw error
    }
  }

  private func send(
    _ requests: [HTTPClientRequest], _ client: HTTPClient, _ checks: inout Checks
  ) async throws -> ReceiptResult {
    let (accepted, refused) = (Counter(), Counter())
    var reading = meter.begin()
    let began = ContinuousClock.now
    try await concurrently(requests.count, workers: connections) { index in
      while true {
        let answer = try await client.execute(requests[index])
        if answer.status == 202 { break }
        guard answer.status == 503, refused.total < requests.count else {
          throw BenchError("a receipt was answered \(answer.status): \(String(decoding: answer.body, as: UTF8.self))")
        }
        refused.add(1)
        try await Task.sleep(for: .milliseconds(100))
      }
      accepted.add(1)
    }
    let seconds = began.duration(to: .now) / .seconds(1)
    let deadline = ContinuousClock.now + Self.mergeLimit
    var counts = try await campaign.counts()
    while counts["read"] < requests.count, ContinuousClock.now < deadline {
      try running.failIfAProcessEnded()
      reading.sample()
      try await Task.sleep(for: .milliseconds(100))
      counts = try await campaign.counts()
    }
    let merged = began.duration(to: .now) / .seconds(1)
    let used = reading.end()
    checks.expect("receipts accepted", accepted.total, "the receipts sent", requests.count)
    checks.expect("messages READ", counts["read"], "the receipts sent", requests.count)
    checks.expect("after the receipts the states' sum", counts.sum, "the audience", counts.audience)
    return ReceiptResult(
      receipts: requests.count, connections: connections, seconds: seconds, merged: merged, refused: refused.total,
      uses: used.processes, machine: used.machine)
  }

  private static func request(
    _ send: BSONDocument, _ url: String, _ webhook: StandardWebhook
  ) throws -> HTTPClientRequest {
    guard let bytes = send["_id"]?.uuidBytes, let id = UUIDBytes(bytes: bytes),
      let vendor = send["vendor"]?.stringValue, let messageID = send["vendor_message_id"]?.stringValue
    else { throw BenchError("a row of the communication log lacks its send id, vendor or vendor's message id") }
    let now = SystemClock().now()
    let body =
      ([
        "send_id": .string(id.string), "vendor": .string(vendor), "vendor_message_id": .string(messageID),
        "status": "READ", "timestamp": .string("\(now)"),
      ] as JSONValue).encoded()
    let webhookID = "msg_\(UUIDBytes().string)"
    let seconds = now.milliseconds / 1000
    return HTTPClientRequest(
      .post, url,
      headers: [
        "Content-Type": "application/json", StandardWebhook.idHeader: webhookID,
        StandardWebhook.timestampHeader: "\(seconds)",
        StandardWebhook.signatureHeader: webhook.sign(id: webhookID, timestamp: seconds, body: body),
      ], body: body, timeouts: .init(connect: .seconds(5), total: .seconds(35)))
  }
}
