import HTTP

/// Which origins' pages may call the API from a browser (Fetch standard, "CORS protocol").
struct CrossOriginPolicy: Sendable {
  private let origins: Set<String>
  private let allowsAny: Bool

  private static let methods = "GET, POST, PUT, PATCH, DELETE"
  private static let requestHeaders =
    "Authorization, Content-Type, Idempotency-Key, Last-Event-ID, X-API-Key, X-Request-Id, traceparent"
  private static let responseHeaders =
    "Content-Disposition, Idempotency-Replayed, Location, RateLimit-Limit, RateLimit-Policy, RateLimit-Remaining, RateLimit-Reset, "
    + "Retry-After, WWW-Authenticate, X-Request-Id"
  /// Seconds for which a browser may remember a permission.
  private static let maxAge = "600"

  /// - Parameter origins: `https://console.example`, …; `*` for any.
  init(origins: [String]) {
    self.origins = Set(origins)
    allowsAny = origins.contains("*")
  }

  /// The answer to a browser that asks before it sends; nil for any other request.
  func preflight(_ request: HTTPRequest) -> HTTPResponse? {
    guard request.method == .options, request.headers.contains("Origin"),
      request.headers.contains("Access-Control-Request-Method")
    else { return nil }
    var response = HTTPResponse(status: 204)
    if permission(for: request) != nil {
      response.headers.add("Access-Control-Allow-Methods", CrossOriginPolicy.methods)
      response.headers.add("Access-Control-Allow-Headers", CrossOriginPolicy.requestHeaders)
      response.headers.add("Access-Control-Max-Age", CrossOriginPolicy.maxAge)
    }
    return response
  }

  /// Lets the page that asked read the answer, if its origin may.
  func permit(_ response: inout HTTPResponse, for request: HTTPRequest) {
    if !allowsAny { response.headers.add("Vary", "Origin") }
    guard let permission = permission(for: request) else { return }
    response.headers.add("Access-Control-Allow-Origin", permission)
    response.headers.add("Access-Control-Expose-Headers", CrossOriginPolicy.responseHeaders)
  }

  private func permission(for request: HTTPRequest) -> String? {
    guard let origin = request.headers["Origin"] else { return nil }
    if allowsAny { return "*" }
    return origins.contains(origin) ? origin : nil
  }
}
