import HTTP

/// Asks processes how they are.
struct HTTPProbe: Sendable {
  private let client: HTTPClient

  init() throws { client = try HTTPClient(HTTPClient.Configuration(maxConnectionsPerHost: 2)) }

  func isReady(_ url: String) async -> Bool {
    await get("\(url)/ready")?.status == 200
  }

  /// The body of a 200; nil for everything else.
  func text(_ url: String) async -> String? {
    guard let answer = await get(url), answer.status == 200 else { return nil }
    return String(decoding: answer.body, as: UTF8.self)
  }

  private func get(_ url: String) async -> HTTPClientResponse? {
    let timeouts = HTTPClientRequest.Timeouts(connect: .seconds(1), total: .seconds(5))
    return try? await client.execute(HTTPClientRequest(.get, url, timeouts: timeouts))
  }

  func close() async { await client.close() }
}
