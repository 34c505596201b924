import Crypto
import Foundation
import HTTP
import JSON

/// The API answered, but not with what was asked for.
struct APIError: Error, CustomStringConvertible {
  let request: String
  let status: Int
  let body: String

  var description: String { "\(request) was answered \(status): \(body.prefix(1500))" }
}

/// Speaks the REST API as any client would.
struct APIClient: Sendable {
  let baseURL: String
  private let client: HTTPClient

  /// How often a request is tried while the server is busy (503, 429) or cannot be reached.
  private static let attempts = 20

  /// A handler takes 30 s at most, see `HANDLER_TIMEOUT_S`.
  private static let timeouts = HTTPClientRequest.Timeouts(total: .seconds(45))

  init(baseURL: String) throws {
    self.baseURL = baseURL
    client = try HTTPClient(HTTPClient.Configuration(maxConnectionsPerHost: 4))
  }

  func close() async { await client.close() }

  /// A GET; the whole JSON answer.
  func get(_ path: String) async throws -> JSONValue { try await send(.get, path, body: nil) }

  /// A POST; the whole JSON answer. It carries an idempotency key, so that trying again is safe.
  func post(_ path: String, _ body: [UInt8]) async throws -> JSONValue { try await send(.post, path, body: body) }

  private func send(_ method: HTTPMethod, _ path: String, body: [UInt8]?) async throws -> JSONValue {
    var request = HTTPClientRequest(method, baseURL + path, timeouts: Self.timeouts, maxResponseBytes: 16 << 20)
    if let body {
      request.body = body
      request.headers["Content-Type"] = "application/json"
      request.headers["Idempotency-Key"] = UUIDBytes().string
    }
    var attempt = 1
    while true {
      let answer = try? await client.execute(request)
      if let answer, answer.status != 503, answer.status != 429 {
        let text = String(decoding: answer.body, as: UTF8.self)
        guard (200..<300).contains(answer.status), let json = try? JSONValue.parse(answer.body) else {
          throw APIError(request: "\(method) \(path)", status: answer.status, body: text)
        }
        return json
      }
      guard attempt < Self.attempts else {
        throw APIError(
          request: "\(method) \(path)", status: answer?.status ?? 0,
          body: answer.map { String(decoding: $0.body, as: UTF8.self) } ?? "no connection")
      }
      attempt += 1
      let wait = answer?.headers["Retry-After"].flatMap { Double($0) } ?? 0.5
      try await Task.sleep(for: .seconds(min(max(wait, 0.1), 5)))
    }
  }
}
