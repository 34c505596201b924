import CivilTime
import HTTP
import JSON
import Runtime
import ServiceHost

/// What every answer of the gateway gets, the server's own among them: headers that make browsers careful, permission
/// for other origins, a place in the metrics, and a line in the log at debug level.
struct GatewayResponder: HTTPResponder {
  let router: HTTPRouter
  let crossOrigin: CrossOriginPolicy
  let limits: AddressLimits
  let instruments: Instruments
  let log: Logger

  func respond(to request: HTTPRequest) async -> HTTPResponse {
    if let preflight = crossOrigin.preflight(request) { return preflight }
    var request = request
    request.remoteAddress = limits.address.of(request)
    let rate = limits.take(request)
    if let rate, rate.retryAfter != nil {
      return Problem.tooManyRequests(rate, of: "this address").response(to: request)
    }
    var answer = await router.respond(to: request)
    rate?.tell(&answer.headers)
    return answer
  }

  func finish(_ answer: inout HTTPResponse, for request: HTTPRequest?) {
    if let request { crossOrigin.permit(&answer, for: request) }
    GatewayResponder.protect(&answer)
    record(request, answer)
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

  private func record(_ request: HTTPRequest?, _ response: HTTPResponse) {
    let route = request?.routePattern ?? "none"
    // A method that is no route's could be any word.
    let method = request?.routePattern == nil ? nil : request?.method.rawValue
    instruments.httpRequests.labels(method ?? "other", route, String(response.status)).add()
    guard let request else { return }
    let duration = request.receivedAt.duration(to: .now)
    instruments.httpSeconds.labels(route).observe(duration)
    // Who is turned away is worth a line: somebody may be trying doors.
    let isTurnedAway = [401, 403, 429].contains(response.status)
    guard log.level <= (isTurnedAway ? .info : .debug) else { return }
    let fields: KeyValuePairs<String, JSONValue> = [
      LogKey.requestID: .string(request.id), "method": .string(request.method.rawValue),
      "path": .string(request.path), "status": .int(Int64(response.status)),
      "remote": .string(limits.address.of(request)),
      LogKey.traceparent: request.headers["traceparent"].map { .string($0) } ?? .null,
      LogKey.durationMS: .double(duration.inSeconds * 1000),
    ]
    if isTurnedAway { log.info("turned away", fields) } else { log.debug("request", fields) }
  }
}
