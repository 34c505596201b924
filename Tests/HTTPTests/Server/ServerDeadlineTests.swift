import Foundation
import Testing

@testable import HTTP

@Suite struct ServerDeadlineTests {
  private func withShortDeadlines(
    routes: (inout HTTPRouter) -> Void = standardRoutes, body: (HTTPServer) async throws -> Void
  ) async throws {
    try await withServer(
      configure: { configuration in
        configuration.deadlines.headers = .milliseconds(300)
        configuration.deadlines.idle = .milliseconds(300)
        configuration.deadlines.bodyGrace = .milliseconds(300)
        configuration.deadlines.sendStall = .milliseconds(300)
        configuration.deadlines.linger = .milliseconds(200)
        configuration.handlerDeadline = .milliseconds(300)
      }, routes: routes, body: body)
  }

  private func dribble(_ port: Int, after start: String, _ byte: String) async throws -> (String, Duration) {
    try await onThread { try dribbleNow(RawSocket(port: port), after: start, byte) }
  }

  @Test func clientsThatDribbleAreCutWhileOthersAreServed() async throws {
    try await withShortDeadlines { server in
      let port = server.port
      async let head = dribble(port, after: "GET /hello HTTP/1.1\r\nHost: h\r\nX-A: ", "a")
      async let requestLine = dribble(port, after: "GET /", "a")
      async let nothing = dribble(port, after: "", "")
      async let body = dribble(port, after: "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n", "a")
      async let chunks = dribble(
        port, after: "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\na\r\n")
      try await withClient { client in
        for _ in 0..<50 {
          #expect(try await client.execute(.get(server, "/hello")).status == 200)
          try await Task.sleep(for: .milliseconds(4))
        }
      }
      let cut = try await [head, requestLine, nothing, body, chunks]
      for (index, (answer, duration)) in cut.enumerated() {
        #expect(duration > .milliseconds(250) && duration < .seconds(2), "\(index) lasted \(duration)")
        let expected = [true, false, false, true, true][index]
        #expect(answer.hasPrefix("HTTP/1.1 408 ") == expected, "\(index) heard \(answer)")
      }
    }
  }

  private static let request = "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n"

  @Test func aRequestLineThatDribblesOnAKeptConnectionHasTheTimeOfAHead() async throws {
    try await withServer(
      configure: { $0.deadlines.headers = .milliseconds(300) },
      body: { server in
        let port = server.port
        async let behind = dribble(port, after: Self.request + "GET /", "a")
        async let later = onThread {
          let socket = try RawSocket(port: port)
          try socket.send(Self.request)
          _ = try socket.receive(until: "hello")
          // Silent for longer than a head may take: the time of the next one has not begun.
          usleep(600_000)
          return try dribbleNow(socket, after: "GET /", "a")
        }
        for (name, (answer, duration)) in try await ["behind": behind, "later": later] {
          #expect(duration > .milliseconds(250) && duration < .seconds(2), "\(name) lasted \(duration)")
          #expect(answer.isEmpty == (name == "later"), "\(name) heard \(answer)")
        }
      })
  }

  /// Whatever the request before it was: nothing has come of the next one, so its time has not begun.
  @Test(arguments: [
    request, "\r\n" + request, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
  ])
  func aKeptConnectionMayBeSilent(request: String) async throws {
    try await withServer(
      configure: { $0.deadlines.headers = .milliseconds(300) },
      body: { server in
        let port = server.port
        try await onThread {
          let socket = try RawSocket(port: port)
          for _ in 0..<3 {
            try socket.send(request)
            _ = try socket.receive(until: "hello")
            usleep(600_000)
          }
        }
      })
  }

  @Test func theTimeOfAHeadBeginsWithTheFirstByteOfItsLine() async throws {
    try await withServer(
      configure: { $0.deadlines.headers = .seconds(6) },
      body: { server in
        let port = server.port
        let (answer, duration) = try await onThread {
          let socket = try RawSocket(port: port)
          try socket.send(Self.request)
          _ = try socket.receive(until: "hello")
          let began = ContinuousClock.now
          try socket.send("GET /")
          usleep(3_000_000)
          try socket.send("hello HTTP/1.1\r\nHost: h\r\n")
          return (try socket.receiveAll(), ContinuousClock.now - began)
        }
        #expect(answer.hasPrefix("HTTP/1.1 408 "), "\(answer)")
        #expect(duration > .milliseconds(5900) && duration < .seconds(9), "lasted \(duration)")
      })
  }

  @Test func idleConnectionsAreClosed() async throws {
    try await withShortDeadlines { server in
      let port = server.port
      try await onThread {
        let socket = try RawSocket(port: port)
        try socket.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
        _ = try socket.receive(until: "hello")
        #expect(try socket.receiveAll().isEmpty)
      }
      try await eventually("no connection is left") { server.openConnections == 0 }
    }
  }

  @Test func aLateHandlerIsCancelledAndAnswered503() async throws {
    let cancelled = Counter()
    try await withShortDeadlines(
      routes: { router in
        router.on(.get, "/slow") { _ in
          do {
            try await Task.sleep(for: .seconds(60))
          } catch {
            cancelled.increment()
          }
          return .text("late")
        }
        router.on(.get, "/patient", options: .init(deadline: .seconds(60))) { _ in
          try await Task.sleep(for: .milliseconds(700))
          return .text("patient")
        }
      },
      body: { server in
        try await withClient { client in
          async let patient = client.execute(.get(server, "/patient"))
          let response = try await client.execute(.get(server, "/slow"))
          #expect(response.status == 503)
          #expect(response.headers["X-Rendered"] == "yes")
          try await eventually("the handler is cancelled") { cancelled.current == 1 }
          #expect(try await patient.status == 200, "a route can have a longer deadline")
        }
      })
  }

  @Test func aHandlerThatDoesNotReadItsBodyIsLate() async throws {
    try await withShortDeadlines(
      routes: { router in
        router.on(.post, "/import", options: .init(streamsBody: true)) { _ in
          try await Task.sleep(for: .seconds(60))
          return .text("late")
        }
      },
      body: { server in
        try await withClient { client in
          let response = try await client.execute(.post(server, "/import", [UInt8](repeating: 1, count: 8_000_000)))
          #expect(response.status == 503)
        }
      })
  }

  @Test(arguments: ["/endless", "/large"])
  func aClientThatDoesNotReadItsResponseIsCut(path: String) async throws {
    try await withServer(
      configure: { configuration in
        configuration.deadlines.bodyGrace = .milliseconds(300)
        configuration.deadlines.bodyMinimumRate = 1 << 30
        configuration.deadlines.sendStall = .milliseconds(300)
      },
      routes: { router in
        router.on(.get, "/endless") { _ in
          HTTPResponse(body: .stream(length: nil, { [UInt8](repeating: 1, count: 65_536) }))
        }
        router.on(.get, "/large") { _ in HTTPResponse(body: .bytes([UInt8](repeating: 1, count: 16_000_000))) }
      },
      body: { server in
        let port = server.port
        let socket = try await onThread {
          let socket = try RawSocket(port: port)
          try socket.send("GET \(path) HTTP/1.1\r\nHost: h\r\n\r\n")
          _ = try socket.receive(limit: 1000)
          return socket
        }
        #expect(server.requestsInFlight == 1)
        try await eventually("the response is cut") { server.requestsInFlight == 0 }
        withExtendedLifetime(socket) {}
      })
  }
}

/// Sends a byte every 20 ms until the server ends the connection. Returns what it said, and after how long.
private func dribbleNow(_ socket: RawSocket, after start: String, _ byte: String) throws -> (String, Duration) {
  let began = ContinuousClock.now
  try socket.send(start)
  var answer = ""
  socket.setReadTimeout(0.02)
  while ContinuousClock.now - began < .seconds(5) {
    do {
      let more = try socket.receive()
      if more.isEmpty { break }
      answer += String(decoding: more, as: UTF8.self)
    } catch let error as SocketError where error.code == EAGAIN {
      do { try socket.send(byte) } catch { break }
    } catch {
      break
    }
  }
  return (answer, ContinuousClock.now - began)
}
