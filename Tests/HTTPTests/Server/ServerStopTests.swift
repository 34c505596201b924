import Foundation
import Testing

@testable import HTTP

@Suite struct ServerStopTests {
  private func start(_ routes: (inout HTTPRouter) -> Void) throws -> HTTPServer {
    var router = HTTPRouter()
    routes(&router)
    let server = HTTPServer(HTTPServer.Configuration(host: "127.0.0.1", port: 0), router: router)
    try server.start()
    return server
  }

  @Test func requestsUnderWayAreAnsweredWithConnectionClose() async throws {
    let server = try start { router in
      router.on(.get, "/slow") { _ in
        try await Task.sleep(for: .milliseconds(300))
        return .text("done")
      }
    }
    let port = server.port
    let idle = try await onThread { try RawSocket(port: port) }
    async let answer = onThread {
      let socket = try RawSocket(port: port)
      try socket.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
      return try socket.receiveAll()
    }
    try await eventually("the request is under way") { server.requestsInFlight == 1 }
    let began = ContinuousClock.now
    await server.stop(grace: .seconds(10))
    #expect(ContinuousClock.now - began < .seconds(5))
    let text = try await answer
    #expect(text.hasPrefix("HTTP/1.1 200 ") && text.hasSuffix("done"))
    #expect(text.contains("Connection: close"))
    #expect(try await onThread { try idle.receiveAll() }.isEmpty)
    #expect(throws: SocketError.self) { try RawSocket(port: port) }
  }

  @Test func whatOutlivesTheGraceIsCancelled() async throws {
    let cancelled = Counter()
    let server = try start { router in
      router.on(.get, "/slow") { _ in
        do { try await Task.sleep(for: .seconds(60)) } catch { cancelled.increment() }
        return .text("late")
      }
      router.on(.post, "/import", options: .init(streamsBody: true)) { request in
        try await Task.sleep(for: .seconds(60))
        return .text("")
      }
    }
    let port = server.port
    async let answer = onThread {
      let socket = try RawSocket(port: port)
      try socket.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
      return try socket.receiveAll()
    }
    async let upload = onThread {
      let socket = try RawSocket(port: port)
      try socket.send("POST /import HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n")
      // Enough that the connection is suspended because nobody reads.
      try socket.send([UInt8](repeating: 1, count: 400_000))
      return try socket.receiveAll()
    }
    try await eventually("the requests are under way") { server.requestsInFlight == 2 }
    let began = ContinuousClock.now
    await server.stop(grace: .milliseconds(100))
    #expect(ContinuousClock.now - began < .seconds(5))
    #expect(try await answer.hasPrefix("HTTP/1.1 503 "))
    #expect(try await upload.hasPrefix("HTTP/1.1 503 "))
    try await eventually("the handler is cancelled") { cancelled.current == 1 }
  }

  @Test func endlessResponsesDoNotUseUpTheGrace() async throws {
    let server = try start { router in
      router.on(.get, "/events") { _ in
        let count = Counter()
        return HTTPResponse(
          headers: ["Content-Type": "text/event-stream"],
          body: .stream(
            length: nil,
            {
              if count.increment() > 1 { try await Task.sleep(for: .seconds(60)) }
              return Array("data: 1\n\n".utf8)
            }))
      }
    }
    let port = server.port
    let socket = try await onThread {
      let socket = try RawSocket(port: port)
      try socket.send("GET /events HTTP/1.1\r\nHost: h\r\n\r\n")
      _ = try socket.receive(until: "data: 1\n\n")
      return socket
    }
    let began = ContinuousClock.now
    await server.stop(grace: .seconds(30))
    #expect(ContinuousClock.now - began < .seconds(5))
    #expect(try await onThread { try socket.receiveAll() }.hasSuffix("0\r\n\r\n"), "the stream ends in order")
  }

  @Test func anExportUnderWayIsNotCutShort() async throws {
    let server = try start { router in
      router.on(.get, "/export") { _ in
        let count = Counter()
        return HTTPResponse(
          headers: ["Content-Type": "text/csv"],
          body: .stream(
            length: nil,
            {
              if count.increment() > 20 { return nil }
              try await Task.sleep(for: .milliseconds(10))
              return Array("row \(count.current)\n".utf8)
            }))
      }
    }
    let port = server.port
    async let answer = onThread {
      let socket = try RawSocket(port: port)
      try socket.send("GET /export HTTP/1.1\r\nHost: h\r\n\r\n")
      return try socket.receiveAll()
    }
    try await eventually("it is under way") { server.requestsInFlight == 1 }
    await server.stop(grace: .seconds(10))
    let text = try await answer
    #expect(text.contains("row 20\n") && text.hasSuffix("0\r\n\r\n"))
  }

  @Test func stoppingUnderLoadEndsEveryTime() async throws {
    for _ in 0..<10 {
      let server = try start { router in
        router.on(.post, "/echo") { request in
          await Task.yield()
          return HTTPResponse(body: .bytes(request.body.bytes ?? []))
        }
      }
      try await withClient(.init(maxConnectionsPerHost: 64)) { client in
        await withTaskGroup(of: Void.self) { group in
          for _ in 0..<64 {
            group.addTask {
              for _ in 0..<50 { _ = try? await client.execute(.post(server, "/echo", [1, 2, 3])) }
            }
          }
          group.addTask {
            try? await Task.sleep(for: .milliseconds(20))
            await server.stop(grace: .milliseconds(500))
          }
        }
      }
      #expect(server.requestsInFlight == 0)
      #expect(server.openConnections == 0)
    }
  }

  @Test func stoppingTwiceAndStartingAgainAreHarmless() async throws {
    let server = try start(standardRoutes)
    await server.stop(grace: .zero)
    await server.stop(grace: .zero)
    #expect(throws: HTTPServerError.alreadyStarted) { try server.start() }
  }
}
