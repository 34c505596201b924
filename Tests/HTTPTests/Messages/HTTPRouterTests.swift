import Testing

@testable import HTTP

@Suite struct HTTPRouterTests {
  private struct Failure: Error {}

  private var router: HTTPRouter {
    var router = HTTPRouter { problem, _ in .text("\(problem.status)", status: problem.status) }
    for pattern in ["/", "/leads", "/leads/:id", "/leads/search", "/leads/:lead/orders/:order", "/files/*path"] {
      router.on(.get, pattern) { request in
        let parameters = request.parameters.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        return .text(([pattern] + parameters).joined(separator: " "))
      }
    }
    router.on(.post, "/leads") { _ in .text("made", status: 201) }
    router.on(.post, "/leads/search") { _ in .text("searched") }
    router.on(.delete, "/leads/:key") { _ in throw Failure() }
    router.on(.put, "/problem") { _ in throw HTTPServerProblem.badRequest("no") }
    return router
  }

  private func answer(_ method: HTTPMethod, _ target: String) async throws -> HTTPResponse {
    await router.respond(to: try HTTPRequest(method, target))
  }

  private func text(_ response: HTTPResponse) -> String { String(decoding: response.bytes ?? [], as: UTF8.self) }

  @Test(arguments: [
    ("/", "/"), ("/leads", "/leads"), ("/leads/7", "/leads/:id id=7"), ("/leads/search", "/leads/search"),
    ("/leads/a%20b", "/leads/:id id=a b"), ("/leads/7/orders/8", "/leads/:lead/orders/:order lead=7 order=8"),
    ("/leads/search/orders/1", "/leads/:lead/orders/:order lead=search order=1"),
    ("/files/a/b.css", "/files/*path path=a/b.css"), ("/files/a", "/files/*path path=a"),
  ])
  func pathsReachTheirRoutes(target: String, expected: String) async throws {
    #expect(text(try await answer(.get, target)) == expected)
  }

  @Test(arguments: ["/nothing", "/leads/", "/leads/7/", "/leads//", "//leads", "/files", "/files/", "/leads/7/orders"])
  func otherPathsAreNotFound(target: String) async throws {
    #expect(try await answer(.get, target).status == 404)
  }

  @Test func aWrongMethodNamesTheRightOnes() async throws {
    let response = try await answer(.patch, "/leads")
    #expect(response.status == 405)
    #expect(response.headers["Allow"] == "GET, POST, HEAD, OPTIONS")
  }

  @Test func aLiteralIsNeverTakenForAParameter() async throws {
    let response = try await answer(.delete, "/leads/search")
    #expect(response.status == 405, "the handler of DELETE /leads/:key would throw")
    #expect(response.headers["Allow"]?.contains("DELETE") == false)
  }

  @Test func headFallsBackToGet() async throws {
    #expect(text(try await answer(.head, "/leads/9")) == "/leads/:id id=9")
  }

  @Test func optionsAreAnsweredWithAllow() async throws {
    let response = try await answer(.options, "/leads")
    #expect(response.status == 204)
    #expect(response.headers["Allow"] == "GET, POST, HEAD, OPTIONS")
    #expect(try await answer(.options, "/nothing").status == 404)
    #expect(try await answer(.options, "*").status == 204)
  }

  @Test func errorsOfHandlersAreRendered() async throws {
    #expect(try await answer(.delete, "/leads/1").status == 500)
    #expect(try await answer(.put, "/problem").status == 400)
  }

  @Test func theRequestKnowsThePatternOfItsRoute() throws {
    var request = try HTTPRequest(.get, "/leads/7")
    router.resolve(&request)
    #expect(request.routePattern == "/leads/:id")
  }
}
