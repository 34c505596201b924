import Foundation
import Runtime
import Testing

@testable import HTTP

@Suite struct HTTPServerTests {
  @Test func requestsReachTheirHandlersWithEverythingInThem() async throws {
    try await withServer(
      routes: { router in
        router.on(.put, "/leads/:id") { request in
          let lines = [
            "\(request.method)", request.path, request.rawTarget, request.parameters["id"] ?? "",
            request.query["q"] ?? "",
            request.headers["x-custom"] ?? "", request.remoteAddress, request.routePattern ?? "",
            String(decoding: request.body.bytes ?? [], as: UTF8.self),
          ]
          return HTTPResponse(status: 201, contentType: "text/plain", Array(lines.joined(separator: "|").utf8))
        }
      },
      body: { server in
        try await withClient { client in
          let url = "http://127.0.0.1:\(server.port)/leads/a%20b?q=x+y"
          let response = try await client.execute(
            HTTPClientRequest(.put, url, headers: ["X-Custom": " v "], body: Array("body".utf8)))
          #expect(response.status == 201)
          #expect(
            String(decoding: response.body, as: UTF8.self)
              == "PUT|/leads/a b|/leads/a%20b?q=x+y|a b|x y|v|127.0.0.1|/leads/:id|body")
        }
      })
  }

  @Test func everyResponseCarriesARequestID() async throws {
    try await withServer { server in
      try await withClient { client in
        var request = HTTPClientRequest.get(server, "/hello")
        let first = try #require(try await client.execute(request).headers["X-Request-Id"])
        let second = try #require(try await client.execute(request).headers["X-Request-Id"])
        #expect(first != second && !first.isEmpty)
        request.headers["X-Request-Id"] = "given-1"
        let third = try await client.execute(request).headers["X-Request-Id"]
        #expect(third == "given-1")
        request.headers["X-Request-Id"] = "not good"
        let fourth = try await client.execute(request).headers["X-Request-Id"]
        #expect(fourth != "not good" && fourth != nil)
        let missing = try await client.execute(.get(server, "/missing"))
        #expect(missing.status == 404 && missing.headers["X-Request-Id"] != nil)
      }
    }
  }

  @Test func headHasTheLengthAndNoBody() async throws {
    try await withServer { server in
      try await withClient { client in
        let response = try await client.execute(
          HTTPClientRequest(.head, "http://127.0.0.1:\(server.port)/hello"))
        #expect(response.status == 200 && response.body.isEmpty)
        #expect(response.headers["Content-Length"] == "5")
        let after = try await client.execute(.get(server, "/hello"))
        #expect(after.body == Array("hello".utf8), "the connection is still in step")
      }
    }
  }

  @Test func pipelinedRequestsAreAnsweredInOrder() async throws {
    try await withServer(
      routes: { router in
        router.on(.get, "/:n") { request in
          try await Task.sleep(for: .milliseconds(request.parameters["n"] == "1" ? 20 : 1))
          return .text("<\(request.parameters["n"] ?? "")>")
        }
      },
      body: { server in
        let port = server.port
        let answer = try await onThread {
          let socket = try RawSocket(port: port)
          try socket.send("GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n")
          try socket.send("GET /3 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
          return try socket.receiveAll()
        }
        #expect(answer.split(separator: "\r\n").filter { $0.hasPrefix("<") || $0.contains(">HTTP") }.count == 3)
        let positions = ["<1>", "<2>", "<3>"].compactMap { answer.range(of: $0)?.lowerBound }
        #expect(positions.count == 3 && positions == positions.sorted())
      })
  }

  @Test func expectContinueIsAnsweredBeforeTheBody() async throws {
    try await withServer { server in
      let port = server.port
      let answer = try await onThread {
        let socket = try RawSocket(port: port)
        try socket.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        let interim = try socket.receive(until: "\r\n\r\n")
        #expect(interim.hasPrefix("HTTP/1.1 100 "))
        try socket.send("body")
        return try socket.receive(until: "body")
      }
      #expect(answer.contains("HTTP/1.1 200 OK"))
    }
  }

  @Test func aBodyTooLargeIsRefusedBeforeItIsRead() async throws {
    try await withServer(
      configure: { $0.defaultBodyLimit = 1000 },
      body: { server in
        let port = server.port
        let answers = try await onThread {
          try ["Expect: 100-continue\r\n", ""].map { extra in
            let socket = try RawSocket(port: port)
            try socket.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\(extra)\r\n")
            return try socket.receiveAll()
          }
        }
        for answer in answers {
          #expect(answer.hasPrefix("HTTP/1.1 413 "), "\(answer)")
          #expect(answer.contains("X-Rendered: yes"))
          #expect(answer.lowercased().contains("connection: close"))
        }
      })
  }

  @Test func aClientThatSendsTooMuchReadsTheRefusal() async throws {
    try await withServer(
      configure: { $0.defaultBodyLimit = 100_000 },
      body: { server in
        try await withClient { client in
          let response = try await client.execute(.post(server, "/echo", [UInt8](repeating: 1, count: 8_000_000)))
          #expect(response.status == 413)
        }
      })
  }

  @Test func chunksAboveTheLimitAreRefused() async throws {
    try await withServer(
      configure: { $0.defaultBodyLimit = 1000 },
      body: { server in
        let port = server.port
        let answer = try await onThread {
          let socket = try RawSocket(port: port)
          try socket.send("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
          let chunk = "190\r\n" + String(repeating: "x", count: 400) + "\r\n"
          for _ in 0..<3 { try socket.send(chunk) }
          return try socket.receiveAll()
        }
        #expect(answer.hasPrefix("HTTP/1.1 413 "), "\(answer)")
      })
  }

  @Test func chunkedBodiesAreCollected() async throws {
    try await withServer { server in
      let port = server.port
      let answer = try await onThread {
        let socket = try RawSocket(port: port)
        try socket.send(
          "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nWiki\r\n5;x=y\r\npedia\r\n0\r\n\r\n"
        )
        return try socket.receive(until: "Wikipedia")
      }
      #expect(answer.hasPrefix("HTTP/1.1 200 "))
    }
  }

  @Test(arguments: ["FFFFFFFFFFFFFFFFFF\r\n", "-1\r\n", "xyz\r\n", "\r\n", "0x4\r\n"])
  func malformedChunkSizesEndTheConnection(size: String) async throws {
    try await withServer { server in
      let port = server.port
      let answer = try await onThread {
        let socket = try RawSocket(port: port)
        try socket.send("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\(size)Wiki\r\n0\r\n\r\n")
        return try socket.receiveAll()
      }
      #expect(answer.hasPrefix("HTTP/1.1 4"), "\(answer)")
    }
  }

  @Test func nothingIsReadAsARequestAfterAChunkedBody() async throws {
    try await withServer { server in
      let port = server.port
      let answer = try await onThread {
        let socket = try RawSocket(port: port)
        try socket.send(
          "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            + "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
        return try socket.receiveAll()
      }
      #expect(answer.hasPrefix("HTTP/1.1 200 "))
      #expect(!answer.contains("hello"))
    }
  }

  @Test func fiveHundredClientsAreServedAtOnce() async throws {
    try await withServer { server in
      try await withClient(.init(maxConnectionsPerHost: 500, maxConcurrent: 500)) { client in
        let answered = try await withThrowingTaskGroup(of: Int.self) { group in
          for number in 0..<500 {
            group.addTask {
              var good = 0
              for round in 0..<4 {
                let body = Array("\(number)-\(round)".utf8)
                if try await client.execute(.post(server, "/echo", body)).body == body { good += 1 }
              }
              return good
            }
          }
          return try await group.reduce(0, +)
        }
        #expect(answered == 2000)
      }
    }
  }

  @Test func oneAddressHasItsLimitOfConnections() async throws {
    try await withServer(
      configure: { $0.perAddressLimit = 3 },
      body: { server in
        let port = server.port
        let sockets = try await onThread {
          try (0..<3).map { _ in
            let socket = try RawSocket(port: port)
            try socket.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
            _ = try socket.receive(until: "hello")
            return socket
          }
        }
        let refused = try await onThread { try RawSocket(port: port).receiveAll() }
        #expect(refused.isEmpty)
        #expect(server.openConnections == 3)
        try await onThread {
          try sockets[0].send("GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
          _ = try sockets[0].receiveAll()
        }
        try await eventually("the count goes down") { server.openConnections == 2 }
        let served = try await onThread {
          let socket = try RawSocket(port: port)
          try socket.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
          return try socket.receive(until: "hello")
        }
        #expect(served.hasPrefix("HTTP/1.1 200 "))
      })
  }

  @Test func connectionsBeyondTheLimitWaitForTheirTurn() async throws {
    try await withServer(
      configure: { $0.connectionLimit = 2 },
      body: { server in
        let port = server.port
        let waited = try await onThread {
          let first = try RawSocket(port: port)
          let second = try RawSocket(port: port)
          for socket in [first, second] {
            try socket.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
            _ = try socket.receive(until: "hello")
          }
          let third = try RawSocket(port: port)
          try third.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
          third.setReadTimeout(0.1)
          #expect(throws: SocketError.self) { try third.receive() }
          third.setReadTimeout(5)
          try first.send("GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
          _ = try first.receiveAll()
          return try third.receive(until: "hello")
        }
        #expect(waited.hasPrefix("HTTP/1.1 200 "))
      })
  }

  @Test func aTakenPortIsATypedError() async throws {
    try await withServer { server in
      let other = HTTPServer(HTTPServer.Configuration(host: "127.0.0.1", port: server.port), router: HTTPRouter())
      #expect(throws: HTTPServerError.portTaken(server.port)) { try other.start() }
      let nowhere = HTTPServer(HTTPServer.Configuration(host: "192.0.2.1", port: 0), router: HTTPRouter())
      #expect(throws: HTTPServerError.self) { try nowhere.start() }
    }
  }

  @Test func headersThatWouldSplitTheResponseAreLeftOut() async throws {
    try await withServer(
      routes: { router in
        router.on(.get, "/") { _ in
          HTTPResponse(
            headers: ["X-Bad": "a\r\nSet-Cookie: x", "X Bad": "b", "Content-Length": "99", "X-Good": "c"],
            body: .bytes(Array("ok".utf8)))
        }
        router.on(.get, "/status") { _ in HTTPResponse(status: 100) }
      },
      body: { server in
        try await withClient { client in
          let response = try await client.execute(.get(server, "/"))
          #expect(response.headers["Set-Cookie"] == nil && response.headers["X-Bad"] == nil)
          #expect(response.headers["X-Good"] == "c" && response.headers["Content-Length"] == "2")
          let status = try await client.execute(.get(server, "/status"))
          #expect(status.status == 500)
        }
      })
  }

  @Test func middlewareWrapsTheRouter() async throws {
    struct Stamp: HTTPResponder {
      let next: any HTTPResponder
      func respond(to request: HTTPRequest) async -> HTTPResponse {
        var response = await next.respond(to: request)
        response.headers["X-Route"] = request.routePattern ?? "none"
        return response
      }
    }
    var router = HTTPRouter()
    standardRoutes(&router)
    let server = HTTPServer(
      HTTPServer.Configuration(host: "127.0.0.1", port: 0), router: router, responder: Stamp(next: router))
    try server.start()
    try await withClient { client in
      let found = try await client.execute(.get(server, "/hello"))
      #expect(found.headers["X-Route"] == "/hello")
      let missing = try await client.execute(.get(server, "/missing"))
      #expect(missing.headers["X-Route"] == "none")
    }
    await server.stop(grace: .zero)
  }
}
