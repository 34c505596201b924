import CRMStore
import HTTP
import JSON
import Runtime

/// Runs routes: gives a request its trace and its idempotency, and turns what a handler throws into a problem.
struct RouteRunner: Sendable {
  let log: Logger
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
      if route.isIdempotent, let key = request.http.headers[IdempotencyGate.header] {
        return try await idempotency.run(key, route, request)
      }
      return try await route.handler(request)
    } catch {
      return RouteRunner.problem(error, request).response(to: request.http)
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
