import CivilTime
import HTTP
import JSON
import Runtime
import ServiceHost

/// What every answer of the gateway gets: headers that make browsers careful, permission for other origins, a place in
/// the metrics, and a line in the log at debug level.
struct GatewayResponder: HTTPResponder {
  let router: HTTPRouter
  let crossOrigin: CrossOriginPolicy
  let instruments: Instruments
  let log: Logger

  func respond(to request: HTTPRequest) async -> HTTPResponse {
    var response = crossOrigin.preflight(request)
    if response == nil { response = await router.respond(to: request) }
    var answer = response ?? Problem.unforeseen.response(to: request)
    crossOrigin.permit(&answer, for: request)
    GatewayResponder.protect(&answer)
    record(request, answer)
    return answer
  }

  /// The gateway answers data: nothing in it is to be run, framed, sniffed or kept.
  private static func protect(_ response: inout HTTPResponse) {
    response.headers.add("X-Content-Type-Options", "nosniff")
    if !response.headers.contains("Content-Security-Policy") {
      response.headers.add("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
    }
    response.headers.add("Referrer-Policy", "no-referrer")
    if !response.headers.contains("Cache-Control") { response.headers.add("Cache-Control", "no-store") }
  }

  private func record(_ request: HTTPRequest, _ response: HTTPResponse) {
    let route = request.routePattern ?? "none"
    let duration = request.receivedAt.duration(to: .now)
    // A method that is no route's could be any word.
    let method = request.routePattern == nil ? "other" : request.method.rawValue
    instruments.httpRequests.labels(method, route, String(response.status)).add()
    instruments.httpSeconds.labels(route).observe(duration)
    guard log.level <= .debug else { return }
    log.debug(
      "request",
      [
        LogKey.requestID: .string(request.id), "method": .string(request.method.rawValue),
        "path": .string(request.path), "status": .int(Int64(response.status)), "remote": .string(request.remoteAddress),
        LogKey.traceparent: request.headers["traceparent"].map { .string($0) } ?? .null,
        LogKey.durationMS: .double(duration.inSeconds * 1000),
      ])
  }
}
