import Crypto
import HTTP
import JSON

/// Speaks the REST API as any client would.
struct APIClient: Sendable {
  let baseURL: String
  private let client: HTTPClient

  /// A handler takes 30 s at most, see `HANDLER_TIMEOUT_S`.
  private static let timeouts = HTTPClientRequest.Timeouts(total: .seconds(45))

  init(baseURL: String) throws {
    self.baseURL = baseURL
    client = try HTTPClient(HTTPClient.Configuration(maxConnectionsPerHost: 16))
  }

  func close() async { await client.close() }

  func get(_ path: String) async throws -> JSONValue { try await send(HTTPClientRequest(.get, baseURL + path)) }

  /// A request that creates or launches something carries an idempotency key, as the documentation advises.
  func post(_ path: String, _ body: JSONValue) async throws -> JSONValue {
    try await post(path, body.encoded(), headers: ["Idempotency-Key": UUIDBytes().string])
  }

  func post(_ path: String, _ body: [UInt8], headers: HTTPHeaders = [:]) async throws -> JSONValue {
    var request = HTTPClientRequest(.post, baseURL + path, headers: headers, body: body)
    request.headers["Content-Type"] = "application/json"
    return try await send(request)
  }

  /// A file, which may take as long as it does.
  func upload(_ path: String, _ file: [UInt8], type: String) async throws -> JSONValue {
    var request = HTTPClientRequest(.post, baseURL + path, body: file)
    request.headers["Content-Type"] = type
    request.headers["Idempotency-Key"] = UUIDBytes().string
    return try await send(request, within: HTTPClientRequest.Timeouts(total: .seconds(1800)))
  }

  /// The text of another URL; nil for everything but a 200.
  func text(_ url: String) async -> String? {
    guard let answer = try? await client.execute(HTTPClientRequest(.get, url)), answer.status == 200 else { return nil }
    return String(decoding: answer.body, as: UTF8.self)
  }

  private func send(
    _ request: HTTPClientRequest, within timeouts: HTTPClientRequest.Timeouts = Self.timeouts
  ) async throws -> JSONValue {
    var request = request
    request.timeouts = timeouts
    request.maxResponseBytes = 16 << 20
    let answer = try await client.execute(request)
    guard (200..<300).contains(answer.status), let json = try? JSONValue.parse(answer.body) else {
      let text = String(decoding: answer.body.prefix(1500), as: UTF8.self)
      throw BenchError("\(request.method) \(request.url) was answered \(answer.status): \(text)")
    }
    return json
  }
}
