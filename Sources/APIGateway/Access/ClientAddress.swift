import HTTP

/// Finds out who is behind the proxies that are trusted to tell.
struct ClientAddress: Sendable {
  /// Longer chains are not looked at beyond this: whoever wrote them is not ours.
  private static let longestChain = 20

  let proxies: [NetworkRange]

  /// The peer's address, or where the peer is a trusted proxy, the last address of `X-Forwarded-For` that is none: what
  /// stands before it was written by somebody who is not trusted.
  func of(_ request: HTTPRequest) -> String {
    guard !proxies.isEmpty, isProxy(request.remoteAddress) else { return request.remoteAddress }
    let chain = request.headers.values("X-Forwarded-For").flatMap { $0.split(separator: ",") }
    var client = request.remoteAddress
    for entry in chain.suffix(ClientAddress.longestChain).reversed() {
      let text = String(entry.filter { $0 != " " && $0 != "\t" })
      guard NetworkAddress(text) != nil else { return client }
      client = text
      if !isProxy(text) { return client }
    }
    return client
  }

  private func isProxy(_ text: String) -> Bool {
    guard let address = NetworkAddress(text) else { return false }
    return proxies.contains { $0.contains(address) }
  }
}
