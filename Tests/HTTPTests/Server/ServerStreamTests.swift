import Foundation
import Synchronization
import Testing

@testable import HTTP

@Suite struct ServerStreamTests {
  @Test func aLargeUploadIsReadInFlatMemory() async throws {
    try await withServer(
      routes: { router in
        router.on(.post, "/import", options: .init(streamsBody: true)) { request in
          var count = 0
          var sum = 0
          for try await chunk in request.body {
            count += chunk.count
            sum &+= Int(chunk[0])
            // Slower than the client: it has to be held back.
            if count % 8 == 0 { await Task.yield() }
          }
          return .text("\(count)")
        }
      },
      body: { server in
        let port = server.port
        let before = try residentBytes()
        let answer = try await onThread {
          let socket = try RawSocket(port: port)
          let piece = [UInt8](repeating: 7, count: 1 << 20)
          try socket.send(
            "POST /import HTTP/1.1\r\nHost: h\r\nContent-Length: \(300 << 20)\r\nConnection: close\r\n\r\n")
          for _ in 0..<300 { try socket.send(piece) }
          return try socket.receiveAll()
        }
        #expect(answer.hasSuffix("\(300 << 20)"))
        // Other tests run beside this one: the bound is far above what it needs, and far below the upload.
        #expect(try residentBytes() - before < 150 << 20)
      })
  }

  @Test func aReaderThatWaitsHoldsTheClientBack() async throws {
    let mayRead = Mutex(false)
    try await withServer(
      routes: { router in
        router.on(.post, "/import", options: .init(streamsBody: true)) { request in
          while !mayRead.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(5)) }
          return .text("\(try await request.body.collect(upTo: 1 << 26).count)")
        }
      },
      body: { server in
        let port = server.port
        let total = 32 << 20
        let sent = Counter()
        async let answer = onThread {
          let socket = try RawSocket(port: port)
          try socket.send("POST /import HTTP/1.1\r\nHost: h\r\nContent-Length: \(total)\r\nConnection: close\r\n\r\n")
          for _ in 0..<32 {
            try socket.send([UInt8](repeating: 7, count: 1 << 20))
            sent.increment()
          }
          return try socket.receiveAll()
        }
        var last = -1
        try await eventually("the client stands still") {
          try? await Task.sleep(for: .milliseconds(100))
          defer { last = sent.current }
          return last == sent.current
        }
        #expect(sent.current < 32)
        mayRead.withLock { $0 = true }
        #expect(try await answer.hasSuffix("\(total)"))
      })
  }

  @Test func anAnswerBeforeTheEndOfTheBodyReachesTheClient() async throws {
    try await withServer(
      routes: { router in
        router.on(.post, "/import", options: .init(streamsBody: true)) { request in
          for try await _ in request.body { break }
          throw HTTPServerProblem.badRequest("unknown column")
        }
      },
      body: { server in
        try await withClient { client in
          let response = try await client.execute(.post(server, "/import", [UInt8](repeating: 65, count: 10_000_000)))
          #expect(response.status == 400)
          #expect(String(decoding: response.body, as: UTF8.self).contains("unknown column"))
        }
      })
  }

  @Test func aClientThatGoesAwayEndsTheBody() async throws {
    let failure = Mutex<HTTPBodyError?>(nil)
    try await withServer(
      routes: { router in
        router.on(.post, "/import", options: .init(streamsBody: true)) { request in
          do throws(HTTPBodyError) {
            while try await request.body.collect(upTo: 1000).count < 0 {}
          } catch {
            failure.withLock { $0 = error }
          }
          return .text("")
        }
      },
      body: { server in
        let port = server.port
        try await onThread {
          let socket = try RawSocket(port: port)
          try socket.send("POST /import HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nabc")
        }
        try await eventually("the handler hears of it") { failure.withLock { $0 } == .disconnected }
      })
  }

  @Test func aStreamedResponseArrivesPieceByPiece() async throws {
    try await withServer(
      routes: { router in
        router.on(.get, "/chunked") { _ in
          let count = Counter()
          return HTTPResponse(body: .stream(length: nil, { count.increment() > 100 ? nil : Array("line\n".utf8) }))
        }
        router.on(.get, "/sized") { _ in
          let count = Counter()
          return HTTPResponse(
            body: .stream(length: 300_000, { count.increment() > 3 ? nil : .init(repeating: 1, count: 100_000) }))
        }
        router.on(.get, "/failing") { _ in
          let count = Counter()
          return HTTPResponse(
            body: .stream(
              length: nil,
              {
                if count.increment() > 3 { throw HTTPBodyError.disconnected }
                return [1, 2, 3]
              }))
        }
      },
      body: { server in
        try await withClient { client in
          let chunked = try await client.execute(.get(server, "/chunked"))
          #expect(chunked.body.count == 500 && chunked.headers["Transfer-Encoding"] == "chunked")
          let sized = try await client.execute(.get(server, "/sized"))
          #expect(sized.body.count == 300_000 && sized.headers["Content-Length"] == "300000")
          let head = try await client.execute(HTTPClientRequest(.head, "http://127.0.0.1:\(server.port)/sized"))
          #expect(head.status == 200 && head.headers["Content-Length"] == "300000")
          let error = try await failure(of: .get(server, "/failing"), client)
          #expect(error.requestMayHaveBeenSent, "a broken stream must not look complete")
        }
      })
  }

  @Test func anEventIsSentAtOnce() async throws {
    try await withServer(
      routes: { router in
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
      },
      body: { server in
        let port = server.port
        let duration = try await onThread {
          let socket = try RawSocket(port: port)
          let began = ContinuousClock.now
          try socket.send("GET /events HTTP/1.1\r\nHost: h\r\n\r\n")
          _ = try socket.receive(until: "data: 1\n\n")
          return ContinuousClock.now - began
        }
        #expect(duration < .seconds(1))
      })
  }

  @Test func aClientThatGoesAwayCancelsItsStream() async throws {
    let cancelled = Counter()
    try await withServer(
      routes: { router in
        router.on(.get, "/events") { _ in
          let count = Counter()
          return HTTPResponse(
            body: .stream(
              length: nil,
              {
                if count.increment() == 1 { return Array("data: 1\n\n".utf8) }
                do {
                  try await Task.sleep(for: .seconds(60))
                } catch {
                  cancelled.increment()
                  throw error
                }
                return nil
              }))
        }
      },
      body: { server in
        let port = server.port
        try await onThread {
          let socket = try RawSocket(port: port)
          try socket.send("GET /events HTTP/1.1\r\nHost: h\r\n\r\n")
          _ = try socket.receive(until: "data: 1\n\n")
        }
        try await eventually("the producer is cancelled though it had nothing to send") { cancelled.current == 1 }
        try await eventually("the request has ended") { server.requestsInFlight == 0 }
      })
  }
}
