import HTTP
import JSON
import Runtime
import ServiceHost
import Testing

@testable import APIGateway

/// What the gateway's server answers by itself, as clients get it.
@Suite struct GatewayResponderTests {
  private static let origin = "https://console.example"

  private let registry = MetricsRegistry()
  private let router: HTTPRouter
  private let responder: GatewayResponder

  init() throws {
    var settings = ProcessDefinition.apiGateway.settings()
    try settings.load(
      from: [
        "RECEIPT_WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "JWT_SECRET": "a secret of no fewer than 32 bytes",
      ], check: AccessSettings.problems)
    var router = HTTPRouter { problem, request in Problem(problem).response(to: request) }
    router.on(.get, "/late") { _ in
      try? await Task.sleep(for: .seconds(60))
      return .text("late")
    }
    router.on(.post, "/small", options: RouteOptions(bodyLimit: 10)) { _ in .text("small") }
    self.router = router
    responder = GatewayResponder(
      router: router, crossOrigin: CrossOriginPolicy(origins: [Self.origin]), limits: AddressLimits(settings),
      instruments: Instruments(registry, process: "api-gateway"), log: Logger(service: "test", level: .error) { _ in })
  }

  /// Sends a request from a page of an allowed origin, with an id.
  private func send(_ method: HTTPMethod, _ path: String, _ body: [UInt8] = []) async throws -> HTTPClientResponse {
    var configuration = HTTPServer.Configuration(host: "127.0.0.1", port: 0)
    configuration.handlerDeadline = .milliseconds(300)
    let server = HTTPServer(configuration, router: router, responder: responder)
    try server.start()
    let client = try HTTPClient()
    let request = HTTPClientRequest(
      method, "http://127.0.0.1:\(server.port)\(path)", headers: ["Origin": Self.origin, "X-Request-Id": "given-1"],
      body: body)
    do {
      let answer = try await client.execute(request)
      await client.close()
      await server.stop(grace: .zero)
      return answer
    } catch {
      await client.close()
      await server.stop(grace: .zero)
      throw error
    }
  }

  private func expectProblem(
    _ answer: HTTPClientResponse, _ kind: Problem.Kind, at path: String, countedAs labels: String
  ) throws {
    #expect(answer.status == kind.status)
    #expect(answer.headers["Content-Type"] == Problem.mediaType)
    let body = try JSONValue.parse(answer.body)
    #expect(body["type"]?.stringValue == kind.type)
    #expect(body["instance"]?.stringValue == path)
    #expect(body["request_id"]?.stringValue == "given-1")
    #expect(answer.headers["X-Request-Id"] == "given-1")
    #expect(answer.headers["Access-Control-Allow-Origin"] == Self.origin)
    #expect(answer.headers["X-Content-Type-Options"] == "nosniff")
    #expect(answer.headers["Cache-Control"] == "no-store")
    #expect(counts == [labels])
  }

  /// Each line of the counter of answers.
  private var counts: [String] {
    let name = "minicrm_http_requests_total"
    return registry.exposition().split(separator: "\n").filter { $0.hasPrefix("\(name){") }
      .map { String($0.dropFirst(name.count)) }
  }

  @Test func aHandlerThatIsLateIsAnsweredAsAProblem() async throws {
    let answer = try await send(.get, "/late")
    try expectProblem(answer, .tooSlow, at: "/late", countedAs: #"{method="GET",route="/late",status="503"} 1"#)
    #expect(answer.headers["Retry-After"] == "5")
  }

  @Test func aBodyBeyondTheLimitIsAnsweredAsAProblem() async throws {
    let answer = try await send(.post, "/small", Array("eleven byte".utf8))
    try expectProblem(
      answer, .bodyTooLarge, at: "/small", countedAs: #"{method="POST",route="/small",status="413"} 1"#)
  }

  @Test func aTargetThatCannotBeDecodedIsAnsweredAsAProblem() async throws {
    let answer = try await send(.get, "/%zz?q=1")
    try expectProblem(
      answer, .malformedRequest, at: "/%zz", countedAs: #"{method="other",route="none",status="400"} 1"#)
  }

  @Test func whatIsAnsweredToNobodyKnownIsProtectedAndCounted() {
    var answer = Problem(HTTPServerProblem.requestTimeout).response(to: nil)
    responder.finish(&answer, for: nil)
    #expect(answer.headers["X-Content-Type-Options"] == "nosniff")
    #expect(answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'")
    #expect(answer.headers["Cache-Control"] == "no-store")
    #expect(counts == [#"{method="other",route="none",status="408"} 1"#])
  }
}
