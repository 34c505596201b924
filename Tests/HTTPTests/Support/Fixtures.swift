import Foundation
import Synchronization
import Testing

@testable import HTTP

/// Runs `body` with a server on a free port of 127.0.0.1, and stops it afterwards.
///
/// - Parameter responder: puts middleware around the router.
func withServer(
  configure: (inout HTTPServer.Configuration) -> Void = { _ in }, routes: (inout HTTPRouter) -> Void = standardRoutes,
  responder: (HTTPRouter) -> any HTTPResponder = { $0 }, body: (HTTPServer) async throws -> Void
) async throws {
  var configuration = HTTPServer.Configuration(host: "127.0.0.1", port: 0)
  configure(&configuration)
  var router = HTTPRouter { problem, request in
    HTTPResponse(
      status: problem.status, contentType: "text/plain", Array("problem \(problem.status): \(problem)".utf8),
      headers: ["X-Rendered": "yes"])
  }
  routes(&router)
  let server = HTTPServer(configuration, router: router, responder: responder(router))
  try server.start()
  do {
    try await body(server)
  } catch {
    await server.stop(grace: .zero)
    throw error
  }
  await server.stop(grace: .milliseconds(200))
}

func standardRoutes(_ router: inout HTTPRouter) {
  router.on(.get, "/hello") { _ in .text("hello") }
  router.on(.post, "/echo") { request in
    HTTPResponse(contentType: "application/octet-stream", try await request.body.collect(upTo: 1 << 24))
  }
}

/// Runs `body` with a client and closes it afterwards.
func withClient(
  _ configuration: HTTPClient.Configuration = .init(), _ body: (HTTPClient) async throws -> Void
) async throws {
  let client = try HTTPClient(configuration)
  do {
    try await body(client)
  } catch {
    await client.close()
    throw error
  }
  await client.close()
}

/// Waits until `condition` holds; fails the test after ten seconds.
func eventually(_ what: Comment, _ condition: () async -> Bool) async throws {
  let end = ContinuousClock.now + .seconds(10)
  while await !condition() {
    try #require(ContinuousClock.now < end, what)
    try await Task.sleep(for: .milliseconds(5))
  }
}

/// A count that handlers change and tests read.
final class Counter: Sendable {
  private let value = Mutex(0)
  var current: Int { value.withLock { $0 } }
  @discardableResult
  func increment() -> Int {
    value.withLock {
      $0 += 1
      return $0
    }
  }
}

/// Resident memory of this process in bytes.
func residentBytes() throws -> Int {
  let pages = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")[1]
  return Int(pages)! * Int(sysconf(Int32(_SC_PAGESIZE)))
}

extension HTTPClientRequest {
  static func get(_ server: HTTPServer, _ path: String) -> HTTPClientRequest {
    HTTPClientRequest(.get, "http://127.0.0.1:\(server.port)\(path)")
  }

  static func post(_ server: HTTPServer, _ path: String, _ body: [UInt8]) -> HTTPClientRequest {
    HTTPClientRequest(.post, "http://127.0.0.1:\(server.port)\(path)", body: body)
  }
}

/// Executes a request that must fail, and returns its error.
func failure(of request: HTTPClientRequest, _ client: HTTPClient) async throws -> HTTPClientError {
  do throws(HTTPClientError) {
    let response = try await client.execute(request)
    Issue.record("expected an error, got \(response.status)")
    return HTTPClientError(.closed, "none", requestMayHaveBeenSent: false)
  } catch {
    return error
  }
}
