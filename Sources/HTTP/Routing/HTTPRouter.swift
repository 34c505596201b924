/// Finds the handler for a request by its method and path.
///
/// ```swift
/// var router = HTTPRouter(errorRenderer: renderer)
/// router.on(.get, "/api/v1/leads/:id") { request in try await show(request.parameters["id"]) }
/// ```
/// Literal segments beat `:parameters`, which beat a final `*rest`. `HEAD` falls back to `GET`; `OPTIONS` is answered
/// with `Allow` unless a route is registered for it. A slash at the end of a path makes it another path.
public struct HTTPRouter: HTTPResponder {
  public typealias Handler = @Sendable (HTTPRequest) async throws -> HTTPResponse

  struct Route: Sendable {
    let pattern: String
    let parameterNames: [String]
    let options: RouteOptions
    let handler: Handler
  }

  /// What the router found for a request.
  enum Match: Sendable {
    case route(Route)
    case otherMethods([HTTPMethod])
    case notFound
  }

  /// Makes the responses to requests that no handler answers, and to errors that handlers throw.
  public let errorRenderer: HTTPServerProblem.Renderer
  private var tree = RouteTree<Route>()

  public init(errorRenderer: @escaping HTTPServerProblem.Renderer = HTTPServerProblem.plainText) {
    self.errorRenderer = errorRenderer
  }

  /// Registers a handler. What it throws is rendered as `HTTPServerProblem.handlerFailed`, or as itself if it is an
  /// `HTTPServerProblem`; an `HTTPBodyError` becomes 413 or 400.
  public mutating func on(
    _ method: HTTPMethod, _ pattern: String, options: RouteOptions = RouteOptions(), handler: @escaping Handler
  ) {
    let names = RouteTree<Route>.segments(pattern)
      .filter { $0.first == ":" || $0.first == "*" }
      .map { String($0.dropFirst()) }
    tree.insert(
      method, pattern, Route(pattern: pattern, parameterNames: names, options: options, handler: handler))
  }

  public func respond(to request: HTTPRequest) async -> HTTPResponse {
    var request = request
    let match = request.match ?? resolve(&request)
    switch match {
    case .route(let route):
      do {
        return try await route.handler(request)
      } catch {
        return errorRenderer(Self.problem(for: error), request)
      }
    case .otherMethods(let allowed):
      let allow = allowed.map(\.rawValue).joined(separator: ", ")
      if request.method == .options { return HTTPResponse(status: 204, headers: ["Allow": allow]) }
      var response = errorRenderer(.methodNotAllowed(allowed: allowed), request)
      response.headers["Allow"] = allow
      return response
    case .notFound:
      if request.path == "*", request.method == .options { return HTTPResponse(status: 204) }
      return errorRenderer(.notFound, request)
    }
  }

  /// Finds the route and writes it, with its parameters, into the request.
  @discardableResult
  func resolve(_ request: inout HTTPRequest) -> Match {
    let match: Match
    switch tree.lookup(request.method, request.path) {
    case .found(let found):
      match = .route(found.value)
      request.routePattern = found.value.pattern
      for (name, capture) in zip(found.value.parameterNames, found.captures) {
        request.parameters[name] = String(capture)
      }
    case .otherMethods(let allowed): match = .otherMethods(allowed)
    case .notFound: match = .notFound
    }
    request.match = match
    return match
  }

  private static func problem(for error: any Error) -> HTTPServerProblem {
    switch error {
    case let problem as HTTPServerProblem: problem
    case HTTPBodyError.tooLarge(let limit): .bodyTooLarge(limit: limit)
    case HTTPBodyError.disconnected: .badRequest("the body did not arrive")
    default: .handlerFailed(error)
    }
  }
}
