import CivilTime
import HTTP
import JSON
import Runtime

/// `/health`, `/ready` and `/metrics`, which every process answers, whatever its dependencies do.
public struct OperationsRoutes: Sendable {
  private let context: ServiceContext

  public init(_ context: ServiceContext) { self.context = context }

  public func register(in router: inout HTTPRouter) {
    router.on(.get, "/health") { [self] _ in json(200, health) }
    router.on(.get, "/ready") { [self] _ in json(context.health.isReady ? 200 : 503, readiness) }
    router.on(.get, "/metrics") { [self] _ in
      HTTPResponse(
        status: 200, headers: ["Content-Type": "text/plain; version=0.0.4; charset=utf-8"],
        body: .bytes(Array(context.metrics.exposition().utf8)))
    }
  }

  /// Liveness with what is known of the dependencies; `status` stays `ok` when one of them is away.
  private var health: JSONValue {
    let now = context.clock.now()
    var health: JSONObject = [
      "status": "ok", "timestamp": .string(now.description), "service": .string(context.definition.name),
      "version": .string(ProductVersion.current), "instance": .string(context.instanceID),
      "uptime_s": .double(Double(now.milliseconds - context.startedAt.milliseconds) / 1000),
      "services": context.health.services, "problems": context.health.problems,
    ]
    for (section, notes) in context.health.details { health[section] = notes }
    return .object(health)
  }

  private var readiness: JSONValue {
    [
      "ready": .bool(context.health.isReady), "services": context.health.services,
      "problems": context.health.problems,
    ]
  }

  private func json(_ status: Int, _ value: JSONValue) -> HTTPResponse {
    HTTPResponse(
      status: status, headers: ["Content-Type": "application/json", "Cache-Control": "no-store"],
      body: .bytes(value.encoded()))
  }
}
