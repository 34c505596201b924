import Synchronization
import Testing

@testable import HTTP

/// What the server answers by itself goes the way of what handlers answer.
@Suite struct ServerAnswersTests {
  private final class Record: Sendable {
    let sent = Mutex<[String]>([])
    /// Answers that the router made, sent or not.
    let made = Counter()
  }

  /// Middleware that marks what is sent, and remembers it.
  private struct Marker: HTTPResponder {
    let next: any HTTPResponder
    let record: Record

    func respond(to request: HTTPRequest) async -> HTTPResponse {
      let response = await next.respond(to: request)
      record.made.increment()
      return response
    }

    func finish(_ response: inout HTTPResponse, for request: HTTPRequest?) {
      let subject = request.map { "\($0.method) \($0.path) \($0.headers["Origin"] ?? "-")" } ?? "none"
      response.headers.add("X-Finished", subject)
      let line = "\(response.status) \(subject)"
      record.sent.withLock { $0.append(line) }
    }
  }

  struct Sample: Sendable, CustomTestStringConvertible {
    let name: String
    let request: String
    let status: Int
    /// What the request is known to be when its answer is finished.
    let subject: String

    init(_ name: String, _ request: String, _ status: Int, _ subject: String) {
      self.name = name
      self.request = request
      self.status = status
      self.subject = subject
    }

    var testDescription: String { name }
  }

  private static let common = "Host: h\r\nOrigin: https://a\r\nConnection: close\r\n"
  private static let post = "POST /echo HTTP/1.1\r\n\(common)"
  private static let longPath = "/" + String(repeating: "a", count: 200)

  static let samples: [Sample] = [
    Sample("a handler's answer", "GET /hello HTTP/1.1\r\n\(common)\r\n", 200, "GET /hello https://a"),
    Sample("no route", "GET /missing HTTP/1.1\r\n\(common)\r\n", 404, "GET /missing https://a"),
    Sample("a length beyond the limit", "\(post)Content-Length: 1001\r\n\r\n", 413, "POST /echo https://a"),
    Sample(
      "a length beyond the limit, announced", "\(post)Content-Length: 1001\r\nExpect: 100-continue\r\n\r\n", 413,
      "POST /echo https://a"),
    Sample(
      "chunks beyond the limit",
      "\(post)Transfer-Encoding: chunked\r\n\r\n3e9\r\n\(String(repeating: "x", count: 1001))\r\n", 413,
      "POST /echo https://a"),
    Sample("a target that is no path", "GET /hello%2?q=1 HTTP/1.1\r\n\(common)\r\n", 400, "GET /hello%2 https://a"),
    Sample("a long target", "GET \(longPath) HTTP/1.1\r\n\(common)\r\n", 414, "GET \(longPath) https://a"),
    Sample(
      "a large head", "GET /hello HTTP/1.1\r\n\(common)X: \(String(repeating: "x", count: 1000))\r\n\r\n", 431,
      "GET /hello https://a"),
    Sample("a head that cannot be read", "GET /hello HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400, "GET /hello -"),
    Sample("a head that does not come", "GET /hello HTTP/1.1\r\n\(common)", 408, "none"),
    Sample("a body that does not come", "\(post)Content-Length: 10\r\n\r\n{", 408, "POST /echo https://a"),
    Sample("a handler that is late", "GET /late HTTP/1.1\r\n\(common)\r\n", 503, "GET /late https://a"),
  ]

  private func withMarkedServer(_ record: Record, _ body: (HTTPServer) async throws -> Void) async throws {
    try await withServer(
      configure: { configuration in
        configuration.defaultBodyLimit = 1000
        configuration.maximumHeadBytes = 1000
        configuration.maximumTargetBytes = 100
        configuration.deadlines.headers = .seconds(1)
        configuration.deadlines.bodyGrace = .seconds(1)
        configuration.handlerDeadline = .seconds(1)
      },
      routes: { router in
        standardRoutes(&router)
        router.on(.get, "/late") { _ in
          try? await Task.sleep(for: .seconds(60))
          return .text("late")
        }
        router.on(.get, "/patient", options: .init(deadline: .seconds(60))) { _ in
          try? await Task.sleep(for: .seconds(60))
          return .text("late")
        }
      },
      responder: { Marker(next: $0, record: record) }, body: body)
  }

  @Test(arguments: samples) func everyAnswerIsFinishedOnceForItsRequest(sample: Sample) async throws {
    let record = Record()
    try await withMarkedServer(record) { server in
      let port = server.port
      let answer = try await onThread {
        let socket = try RawSocket(port: port)
        try socket.send(sample.request)
        return try socket.receiveAll()
      }
      #expect(answer.hasPrefix("HTTP/1.1 \(sample.status) "), "\(answer)")
      #expect(answer.contains("X-Finished: \(sample.subject)\r\n"), "\(answer)")
      #expect(answer.contains("X-Request-Id: "), "\(answer)")
      let sent = record.sent.withLock { $0 }
      #expect(sent == ["\(sample.status) \(sample.subject)"])
    }
  }

  @Test func anAnswerThatComesTooLateIsNotFinished() async throws {
    let record = Record()
    try await withMarkedServer(record) { server in
      try await withClient { client in
        #expect(try await client.execute(.get(server, "/late")).status == 503)
        try await eventually("the handler has answered all the same") { record.made.current == 1 }
        #expect(try await client.execute(.get(server, "/hello")).status == 200)
      }
      let sent = record.sent.withLock { $0 }
      #expect(sent == ["503 GET /late -", "200 GET /hello -"])
    }
  }

  @Test func theLastAnswerOfAServerThatStopsIsFinishedToo() async throws {
    let record = Record()
    try await withMarkedServer(record) { server in
      let port = server.port
      async let answer = onThread {
        let socket = try RawSocket(port: port)
        try socket.send("GET /patient HTTP/1.1\r\nHost: h\r\n\r\n")
        return try socket.receiveAll()
      }
      try await eventually("the request is under way") { server.requestsInFlight == 1 }
      await server.stop(grace: .milliseconds(50))
      let text = try await answer
      #expect(text.hasPrefix("HTTP/1.1 503 ") && text.contains("X-Finished: GET /patient -\r\n"), "\(text)")
    }
  }
}
