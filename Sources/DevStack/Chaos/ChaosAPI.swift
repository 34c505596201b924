import Crypto
import HTTP
import JSON
import Synchronization

/// A client that lives through the deaths of gateways: it goes round them, and repeats under the same idempotency key.
final class ChaosAPI: Sendable {
  let gateways: [String]
  let vendor: String
  private let client: HTTPClient
  private let turn = Atomic(0)

  struct Answer: Sendable {
    let status: Int
    let json: JSONValue
    var data: JSONValue { json["data"] ?? .null }
  }

  init(gateways: [String], vendor: String) throws {
    self.gateways = gateways
    self.vendor = vendor
    client = try HTTPClient(maxConnectionsPerHost: 16, maxConcurrent: 64)
  }

  func close() async { await client.close() }

  /// One try at the next gateway; nil when it does not answer.
  func attempt(
    _ method: HTTPMethod, _ path: String, _ body: [UInt8] = [], headers: HTTPHeaders = [:],
    within limit: Duration = .seconds(5)
  ) async -> Answer? {
    let base = path.hasPrefix("http") ? "" : gateways[turn.add(1, ordering: .relaxed).newValue % gateways.count]
    var headers = headers
    if !body.isEmpty, headers["Content-Type"] == nil { headers["Content-Type"] = "application/json" }
    let request = HTTPClientRequest(
      method, base + path, headers: headers, body: body, timeouts: .init(connect: .seconds(1), total: limit),
      maxResponseBytes: 64 << 20)
    guard let response = try? await client.execute(request) else { return nil }
    return Answer(status: response.status, json: (try? JSONValue.parse(response.body)) ?? .null)
  }

  /// The text of a 200; nil for everything else.
  func text(_ url: String) async -> String? {
    let request = HTTPClientRequest(
      .get, url, timeouts: .init(connect: .seconds(1), total: .seconds(3)), maxResponseBytes: 16 << 20)
    guard let response = try? await client.execute(request), response.status == 200 else { return nil }
    return String(decoding: response.body, as: UTF8.self)
  }

  /// Repeats until an answer is neither absent nor a 5xx.
  ///
  /// - Throws: `StackError` when there is none in time.
  func persist(
    _ method: HTTPMethod, _ path: String, _ body: [UInt8] = [], headers: HTTPHeaders = [:],
    within limit: Duration = .seconds(90)
  ) async throws -> Answer {
    var headers = headers
    if method == .post { headers["Idempotency-Key"] = UUIDBytes().string }
    return try await Poll.until("\(method) \(path)", within: limit, every: .milliseconds(150)) {
      let answer = await attempt(method, path, body, headers: headers, within: .seconds(20))
      guard let answer, answer.status < 500, answer.status != 429 else { return nil }
      // The gateway that began to carry it out has died: its reservation of the key has to run out first.
      if answer.json["type"]?.stringValue?.hasSuffix("/request-in-progress") == true { return nil }
      return answer
    }
  }

  /// As `persist`, and only a success will do.
  func succeed(
    _ method: HTTPMethod, _ path: String, _ body: JSONValue? = nil, within limit: Duration = .seconds(90)
  ) async throws -> Answer {
    let answer = try await persist(method, path, body?.encoded() ?? [], within: limit)
    guard (200..<300).contains(answer.status) else {
      throw StackError("\(method) \(path): \(answer.status) \(answer.json.encodedString().prefix(1000))")
    }
    return answer
  }

  /// Changes how the simulator behaves, however often it is being killed.
  func behave(_ change: JSONValue) async throws { _ = try await succeed(.put, "\(vendor)/v1/behaviour", change) }
}
