import CRMStore
import HTTP
import JSON
import Runtime
import ServiceHost

/// Runs routes: gives a request its trace and its idempotency, and turns what a handler throws into a problem.
struct RouteRunner: Sendable {
  let log: Logger
  let health: HealthBoard
  let idempotency: IdempotencyGate

  func register(_ routes: [Route], in router: inout HTTPRouter) {
    for route in routes {
      router.on(route.method, route.pattern, options: RouteOptions(bodyLimit: route.bodyLimit)) { request in
        await run(route, request)
      }
    }
  }

  private func run(_ route: Route, _ request: HTTPRequest) async -> HTTPResponse {
    let request = APIRequest(request, log: log)
    do {
      try checkDependencies(of: route)
      if route.isIdempotent, let key = request.http.headers[IdempotencyGate.header] {
        return try await idempotency.run(key, route, request)
      }
      return try await route.handler(request)
    } catch {
      return RouteRunner.problem(error, request).response(to: request.http)
    }
  }

  /// Without this, every request would wait for as long as a driver looks for a server, and hold a thread meanwhile.
  private func checkDependencies(of route: Route) throws(Problem) {
    for dependency in route.needs where !health.isConnected(dependency) {
      let name = dependency == .database ? "MongoDB" : "Kafka"
      throw Problem(.dependencyUnavailable, "\(name) does not answer.", retryAfter: 2)
    }
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
