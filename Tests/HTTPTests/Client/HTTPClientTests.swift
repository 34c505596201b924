import Foundation
import Testing

@testable import HTTP

@Suite struct HTTPClientTests {
  private let patient = HTTPClientRequest.Timeouts(connect: .seconds(5), total: .seconds(20))

  @Test func methodHeadersAndBodyArriveAsGiven() async throws {
    let server = try ScriptedServer { socket, _ in
      while let request = try socket.receiveRequest() { try socket.sendResponse(request) }
    }
    try await withClient { client in
      for method in [HTTPMethod.get, .post, .put, .patch, .delete, .options] {
        for body in ["", "some body"] {
          let request = HTTPClientRequest(
            method, server.url("/p?q=1"), headers: ["X-A": "1", "X-Empty": ""], body: Array(body.utf8))
          let echoed = String(decoding: try await client.execute(request).body, as: UTF8.self)
          #expect(echoed.hasPrefix("\(method) /p?q=1 HTTP/1.1\r\n"))
          #expect(echoed.contains("X-A: 1\r\n") && echoed.contains("X-Empty:\r\n"))
          #expect(!echoed.contains("Expect") && !echoed.contains("Content-Type"))
          #expect(echoed.hasSuffix("\r\n\r\n\(body)"))
          let hasLength = echoed.contains("Content-Length: \(body.utf8.count)\r\n")
          #expect(hasLength == (!body.isEmpty || [.post, .put, .patch].contains(method)), "\(method) \(body)")
        }
      }
    }
    #expect(server.connections.current == 1, "one connection serves them all")
    server.stop()
  }

  @Test func responsesComeWhole() async throws {
    let server = try ScriptedServer { socket, _ in
      _ = try socket.receiveRequest()
      try socket.send("HTTP/1.1 100 Continue\r\nX-Interim: 1\r\n\r\n")
      try socket.sendResponse(
        "moved", status: "302 Found", headers: "Location: /else\r\nSet-Cookie: a\r\nset-cookie: b\r\n")
    }
    try await withClient { client in
      let response = try await client.execute(HTTPClientRequest(.get, server.url()))
      #expect(response.status == 302, "redirects are not followed")
      #expect(response.headers.values("Set-Cookie") == ["a", "b"])
      #expect(response.headers["X-Interim"] == nil)
      #expect(response.body == Array("moved".utf8))
    }
    server.stop()
  }

  // MARK: - Definite failures: the request has not left

  @Test func aRefusedConnectionIsDefinite() async throws {
    let port = try RawListener().port
    try await withClient { client in
      let error = try await failure(of: HTTPClientRequest(.post, "http://127.0.0.1:\(port)/", body: [1]), client)
      #expect(error.kind == .couldNotConnect)
      #expect(!error.requestMayHaveBeenSent)
    }
  }

  @Test func anUnknownNameIsDefinite() async throws {
    try await withClient { client in
      let error = try await failure(
        of: HTTPClientRequest(.post, "http://no-such-host.invalid/", timeouts: patient), client)
      #expect(error.kind == .resolve)
      #expect(!error.requestMayHaveBeenSent)
    }
  }

  @Test func aConnectTimeOutIsDefinite() async throws {
    // A queue of one that nobody empties: further connections get no answer.
    let listener = try RawListener()
    listen(listener.descriptor, 0)
    let fillers = try await onThread { try (0..<2).map { _ in try RawSocket.connecting(port: listener.port) } }
    try await withClient { client in
      let request = HTTPClientRequest(
        .post, "http://127.0.0.1:\(listener.port)/", timeouts: .init(connect: .milliseconds(200), total: .seconds(20)))
      let error = try await failure(of: request, client)
      #expect(error.kind == .timedOut(.connect))
      #expect(!error.requestMayHaveBeenSent)
    }
    withExtendedLifetime(fillers) {}
  }

  @Test func aServerWithoutTLSIsDefinite() async throws {
    let server = try ScriptedServer { socket, _ in
      _ = try socket.receive()
      try socket.send("HTTP/1.1 400 Bad Request\r\n\r\n")
    }
    try await withClient { client in
      let error = try await failure(of: HTTPClientRequest(.post, "https://127.0.0.1:\(server.port)/"), client)
      #expect(error.kind == .tls)
      #expect(!error.requestMayHaveBeenSent)
    }
    server.stop()
  }

  @Test(arguments: [
    HTTPClientRequest(.get, "ftp://127.0.0.1/"), HTTPClientRequest(.get, ""), HTTPClientRequest(.get, "http://a b/"),
    HTTPClientRequest(.get, "http://127.0.0.1/\r\nX: 1"), HTTPClientRequest(HTTPMethod(rawValue: "G T"), "http://a/"),
    HTTPClientRequest(.get, "http://127.0.0.1/", headers: ["X-A": "1\r\nX-B: 2"]),
    HTTPClientRequest(.get, "http://127.0.0.1/", headers: ["X A": "1"]),
  ])
  func whatCannotBeSentIsRefused(request: HTTPClientRequest) async throws {
    try await withClient { client in
      let error = try await failure(of: request, client)
      #expect(error.kind == .invalidRequest)
      #expect(!error.requestMayHaveBeenSent)
    }
  }

  // MARK: - Ambiguous failures: the server may have acted

  @Test func aServerThatHangsIsAmbiguous() async throws {
    let server = try ScriptedServer { socket, _ in
      while try socket.receiveRequest() != nil {}
    }
    try await withClient { client in
      for timeouts in [
        HTTPClientRequest.Timeouts(total: .milliseconds(200)),
        HTTPClientRequest.Timeouts(firstByte: .milliseconds(200), total: .seconds(20)),
      ] {
        let began = ContinuousClock.now
        let error = try await failure(of: HTTPClientRequest(.post, server.url(), body: [1], timeouts: timeouts), client)
        #expect(error.kind == .timedOut(.firstByte))
        #expect(error.requestMayHaveBeenSent)
        #expect(ContinuousClock.now - began < .seconds(5))
      }
    }
    server.stop()
  }

  @Test func aResponseThatStopsIsAmbiguous() async throws {
    let server = try ScriptedServer { socket, number in
      _ = try socket.receiveRequest()
      try socket.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
      if number == 1 { _ = try socket.receive() }
    }
    try await withClient { client in
      let slow = try await failure(
        of: HTTPClientRequest(.post, server.url(), timeouts: .init(firstByte: .seconds(10), total: .milliseconds(300))),
        client)
      #expect(slow.kind == .timedOut(.response) && slow.requestMayHaveBeenSent)
      let cut = try await failure(of: HTTPClientRequest(.post, server.url()), client)
      #expect(cut.kind == .malformedResponse && cut.requestMayHaveBeenSent)
    }
    server.stop()
  }

  @Test(arguments: [true, false])
  func aConnectionLostAfterTheRequestIsAmbiguous(byReset: Bool) async throws {
    let server = try ScriptedServer { socket, _ in
      _ = try socket.receiveRequest()
      if byReset { socket.resetOnClose() }
    }
    try await withClient { client in
      let error = try await failure(of: HTTPClientRequest(.post, server.url(), body: [1, 2, 3]), client)
      #expect(error.kind == .resetAfterWrite)
      #expect(error.requestMayHaveBeenSent)
    }
    server.stop()
  }

  /// libcurl by itself would send the request again on a new connection, and the server would act twice.
  @Test(arguments: [[UInt8](), [1, 2, 3]])
  func aPostOnAKeptConnectionThatBreaksIsNotRepeated(body: [UInt8]) async throws {
    let received = Counter()
    let server = try ScriptedServer { socket, number in
      while try socket.receiveRequest() != nil {
        received.increment()
        if received.current == 2 { return }
        try socket.sendResponse("ok")
      }
    }
    try await withClient { client in
      #expect(try await client.execute(HTTPClientRequest(.post, server.url(), body: body)).status == 200)
      let error = try await failure(of: HTTPClientRequest(.post, server.url(), body: body), client)
      #expect(error.kind == .resetAfterWrite)
      #expect(error.requestMayHaveBeenSent)
      #expect(received.current == 2)
    }
    server.stop()
  }

  @Test func aGetOnAKeptConnectionThatBreaksIsRepeated() async throws {
    let received = Counter()
    let server = try ScriptedServer { socket, number in
      while try socket.receiveRequest() != nil {
        if received.increment() == 2 { return }
        try socket.sendResponse("ok")
      }
    }
    try await withClient { client in
      for _ in 0..<2 { _ = try await client.execute(HTTPClientRequest(.get, server.url())) }
      #expect(received.current == 3)
    }
    server.stop()
  }

  @Test func aConnectionClosedWhileIdleIsNotUsedAgain() async throws {
    let closed = Counter()
    let server = try ScriptedServer { socket, _ in
      _ = try socket.receiveRequest()
      try socket.sendResponse("ok")
      socket.endSending()
      closed.increment()
    }
    try await withClient { client in
      for round in 1...5 {
        let response = try await client.execute(HTTPClientRequest(.post, server.url(), body: [1]))
        #expect(response.status == 200)
        try await eventually("the server closes") { closed.current == round }
      }
    }
    server.stop()
  }

  // MARK: - Limits

  @Test func aResponseTooLargeIsCutOff() async throws {
    let server = try ScriptedServer { socket, _ in
      _ = try socket.receiveRequest()
      try socket.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
      while true { try socket.send("1000\r\n" + String(repeating: "x", count: 4096) + "\r\n") }
    }
    try await withClient { client in
      var request = HTTPClientRequest(.post, server.url())
      request.maxResponseBytes = 100_000
      let error = try await failure(of: request, client)
      #expect(error.kind == .responseTooLarge(limit: 100_000))
      #expect(error.requestMayHaveBeenSent)
    }
    server.stop()
  }

  @Test(arguments: ["nonsense\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"])
  func responsesThatAreNoneAreMalformed(answer: String) async throws {
    let server = try ScriptedServer { socket, _ in
      _ = try socket.receiveRequest()
      try socket.send(answer)
    }
    try await withClient { client in
      let error = try await failure(of: HTTPClientRequest(.post, server.url()), client)
      #expect(error.kind == .malformedResponse, "\(error)")
      #expect(error.requestMayHaveBeenSent)
    }
    server.stop()
  }

  @Test func anEndlessHeadIsMalformed() async throws {
    let server = try ScriptedServer { socket, _ in
      _ = try socket.receiveRequest()
      try socket.send("HTTP/1.1 200 OK\r\n")
      while true { try socket.send("X-A: " + String(repeating: "x", count: 1000) + "\r\n") }
    }
    try await withClient { client in
      let error = try await failure(of: HTTPClientRequest(.post, server.url()), client)
      #expect(error.kind == .malformedResponse, "\(error)")
    }
    server.stop()
  }

  @Test func threeHundredRequestsAreUnderWayAtOnce() async throws {
    let waiting = Counter()
    try await withServer(
      routes: { router in
        router.on(.post, "/gather") { request in
          waiting.increment()
          while waiting.current < 300 { try await Task.sleep(for: .milliseconds(5)) }
          return HTTPResponse(body: .bytes(request.body.bytes ?? []))
        }
      },
      body: { server in
        try await withClient(.init(maxConnectionsPerHost: 300)) { client in
          let answered = try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<300 {
              group.addTask {
                let body = Array("\(number)".utf8)
                return try await client.execute(.post(server, "/gather", body)).body == body
              }
            }
            return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
          }
          #expect(answered == 300)
        }
      })
  }

  @Test func connectionsPerHostAreBounded() async throws {
    try await withServer(
      routes: { router in
        router.on(.get, "/slow") { _ in
          try await Task.sleep(for: .milliseconds(10))
          return .text("")
        }
      },
      body: { server in
        try await withClient(.init(maxConnectionsPerHost: 3)) { client in
          let most = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<30 {
              group.addTask {
                _ = try await client.execute(.get(server, "/slow"))
                return server.openConnections
              }
            }
            return try await group.reduce(0, max)
          }
          #expect(most == 3)
        }
      })
  }

  @Test func requestsBeyondTheConcurrencyWaitAndTimeOutDefinitely() async throws {
    let server = try ScriptedServer { socket, _ in
      while try socket.receiveRequest() != nil {}
    }
    let client = try HTTPClient(.init(maxConcurrent: 1, maxWaiting: 1))
    async let first = failure(of: HTTPClientRequest(.post, server.url(), timeouts: patient), client)
    try await eventually("the first is under way") { server.connections.current == 1 }
    let waited = try await failure(
      of: HTTPClientRequest(.post, server.url(), timeouts: .init(total: .milliseconds(200))), client)
    #expect(waited.kind == .timedOut(.connect) && !waited.requestMayHaveBeenSent)
    async let third = failure(of: HTTPClientRequest(.post, server.url(), timeouts: patient), client)
    try await eventually("the third waits") { client.outstandingRequests == 2 }
    let fourth = try await failure(of: HTTPClientRequest(.post, server.url()), client)
    #expect(fourth.kind == .overloaded && !fourth.requestMayHaveBeenSent)
    await client.close()
    _ = try await (first, third)
    server.stop()
  }

  // MARK: - Cancelling and closing

  @Test func cancellingEndsARequestUnderWay() async throws {
    let gone = Counter()
    let arrived = Counter()
    let server = try ScriptedServer { socket, _ in
      while try socket.receiveRequest() != nil { arrived.increment() }
      gone.increment()
    }
    try await withClient { client in
      let task = Task { try await failure(of: HTTPClientRequest(.post, server.url(), body: [1]), client) }
      try await eventually("it is under way") { arrived.current == 1 }
      task.cancel()
      let error = try await task.value
      #expect(error.kind == .cancelled && error.requestMayHaveBeenSent)
      try await eventually("its connection is closed") { gone.current == 1 }
      let early = Task {
        withUnsafeCurrentTask { $0?.cancel() }
        return try await failure(of: HTTPClientRequest(.post, server.url()), client)
      }
      let notSent = try await early.value
      #expect(notSent.kind == .cancelled)
    }
    server.stop()
  }

  @Test func closingEndsEverything() async throws {
    let server = try ScriptedServer { socket, _ in
      while try socket.receiveRequest() != nil {}
    }
    let client = try HTTPClient(.init(maxConcurrent: 1))
    async let active = failure(of: HTTPClientRequest(.post, server.url()), client)
    try await eventually("it is under way") { server.connections.current == 1 }
    async let waiting = failure(of: HTTPClientRequest(.post, server.url()), client)
    try await eventually("the other waits") { client.outstandingRequests == 2 }
    await client.close()
    #expect(try await active.kind == .closed)
    let unsent = try await waiting
    #expect(unsent.kind == .closed && !unsent.requestMayHaveBeenSent)
    let late = try await failure(of: HTTPClientRequest(.post, server.url()), client)
    #expect(late.kind == .closed && !late.requestMayHaveBeenSent)
    server.stop()
  }
}
