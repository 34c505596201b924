/// A request whose head has been checked, as handlers and middleware see it.
public struct HTTPRequest: Sendable {
  public var method: HTTPMethod
  /// Percent-decoded; begins with `/` (or is `*` for `OPTIONS *`).
  public var path: String
  /// The request target as it was sent.
  public var rawTarget: String
  public var query: QueryItems
  public var headers: HTTPHeaders
  /// The peer's IP address, without its port.
  public var remoteAddress: String
  /// What the route's `:name` segments matched, decoded.
  public var parameters: [String: String]
  /// The pattern of the route that will answer, `nil` when none does: a label for metrics and logs.
  public var routePattern: String?
  public var body: HTTPBody
  /// The client's `X-Request-Id` where it is well formed, else one made here. The response carries it.
  public var id: String
  /// When the head had been received.
  public var receivedAt: ContinuousClock.Instant

  /// The router's decision for this request, made before the body was read.
  var match: HTTPRouter.Match?

  /// Makes a request without a connection, to test routers and middleware.
  ///
  /// - Throws: `HTTPServerProblem.badRequest` when the target cannot be decoded.
  public init(
    _ method: HTTPMethod, _ target: String, headers: HTTPHeaders = [:], body: [UInt8] = [],
    remoteAddress: String = "127.0.0.1", id: String = "test"
  ) throws(HTTPServerProblem) {
    let decoded: RequestTarget
    do throws(RequestProblem) {
      decoded = try RequestTarget(Array(target.utf8), method: method)
    } catch {
      throw HTTPServerProblem(error)
    }
    self.init(
      method: method, target: decoded, rawTarget: target, headers: headers, remoteAddress: remoteAddress,
      body: HTTPBody(body), id: id, receivedAt: .now)
  }

  init(
    method: HTTPMethod, target: RequestTarget, rawTarget: String, headers: HTTPHeaders, remoteAddress: String,
    body: HTTPBody, id: String, receivedAt: ContinuousClock.Instant
  ) {
    self.method = method
    self.path = target.path
    self.rawTarget = rawTarget
    self.query = target.query
    self.headers = headers
    self.remoteAddress = remoteAddress
    self.parameters = [:]
    self.body = body
    self.id = id
    self.receivedAt = receivedAt
  }
}
