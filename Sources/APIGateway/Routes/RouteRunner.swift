import CRMStore
import HTTP
import JSON
import Runtime
import ServiceHost

/// Runs routes: finds out who asks and whether they may, gives a request its trace, its idempotency and its entry in the
/// audit log, and turns what a handler throws into a problem.
struct RouteRunner: Sendable {
  let log: Logger
  let health: HealthBoard
  let access: AccessControl
  let idempotency: IdempotencyGate
  let audit: AuditLog

  func register(_ routes: [Route], in router: inout HTTPRouter) {
    for route in routes {
      router.on(route.method, route.pattern, options: route.options) { request in
        await run(route, request)
      }
    }
  }

  private func run(_ route: Route, _ request: HTTPRequest) async -> HTTPResponse {
    let request = APIRequest(request, log: log)
    guard route.effect?.isRead == true, route.needs.contains(.database) else { return await answer(route, request) }
    let response = await health.unlessDatabaseIsLost { await answer(route, request) }
    return response ?? RouteRunner.isAway(.database).response(to: request.http)
  }

  private func answer(_ route: Route, _ request: APIRequest) async -> HTTPResponse {
    var request = request
    var rate: RateDecision?
    var response: HTTPResponse
    do {
      let admission = try await access.admit(request.http, to: route.access)
      request.caller = admission.caller
      rate = admission.rate
      if let limit = route.bodyLimit, request.http.body.bytes == nil {
        request.http.body = HTTPBody(try await request.http.body.collect(upTo: limit))
      }
      response = try await carryOut(route, request)
    } catch {
      response = RouteRunner.problem(error, request).response(to: request.http)
    }
    rate?.tell(&response.headers)
    return response
  }

  private func carryOut(_ route: Route, _ request: APIRequest) async throws -> HTTPResponse {
    try checkAccept(request, route)
    try checkDependencies(of: route)
    // A repetition that is answered from memory has no effect: the entry belongs to the request that had it.
    let handler: Route.Handler = { try await audit.record(route, $0, route.handler) }
    if route.isIdempotent, route.bodyLimit != nil, let key = request.http.headers[IdempotencyGate.header] {
      return try await idempotency.run(key, request, sealed: route.showsSecret, handler)
    }
    return try await handler(request)
  }

  private func checkAccept(_ request: APIRequest, _ route: Route) throws(Problem) {
    let headers = request.http.headers.values("Accept")
    if headers.isEmpty || headers == ["*/*"] { return }
    let accepted = AcceptedTypes(headers)
    let offered = route.offers
    guard offered.contains(where: accepted.allows) else {
      throw Problem(.notAcceptable, "This is answered as \(offered.joined(separator: " or ")) only.")
    }
  }

  /// Without this, every request would wait for as long as a driver looks for a server, and hold a thread meanwhile.
  private func checkDependencies(of route: Route) throws(Problem) {
    for dependency in route.needs where !health.isConnected(dependency) { throw RouteRunner.isAway(dependency) }
  }

  static func isAway(_ dependency: HealthBoard.Dependency) -> Problem {
    let name = dependency == .database ? "MongoDB" : "Kafka"
    return Problem(.dependencyUnavailable, "\(name) does not answer.", retryAfter: 2)
  }

  /// What the client is told; an error that nobody foresaw is logged in full.
  static func problem(_ error: any Error, _ request: APIRequest) -> Problem {
    if let problem = Problem(describing: error) { return problem }
    request.log.error(
      "a request failed in a way that nobody foresaw",
      [
        LogKey.requestID: .string(request.http.id), LogKey.traceparent: .string(request.trace.description),
        "method": .string(request.http.method.rawValue), "path": .string(request.http.path),
        LogKey.error: .string("\(error)"),
      ])
    return .unforeseen
  }
}
