import Foundation
import Testing
import WireCorpus

@testable import HTTP

@Suite struct StrictnessTests {
  /// All samples at one server, each on a connection of its own, and after each one a good request.
  @Test func everySampleIsRefusedAndClosedAndTheServerGoesOn() async throws {
    try await withServer { server in
      let port = server.port
      try await withThrowingTaskGroup(of: Void.self) { group in
        for sample in RefusedRequest.corpus {
          group.addTask {
            let answer = try await onThread {
              let socket = try RawSocket(port: port)
              try socket.send(sample.head)
              return try socket.receiveAll()
            }
            #expect(answer.hasPrefix(sample.expected), "\(sample.name): \(answer.prefix(60))")
            #expect(answer.isEmpty == (sample.status == 0))
            #expect(!answer.contains("hello"), "\(sample.name) reached a handler")
            let good = try await onThread {
              let socket = try RawSocket(port: port)
              try socket.send("GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
              return try socket.receiveAll()
            }
            #expect(good.hasPrefix("HTTP/1.1 200 "), "after \(sample.name)")
          }
        }
        try await group.waitForAll()
      }
    }
  }

  /// The same in pieces, so that libmicrohttpd parses while more arrives.
  @Test func samplesInPiecesAreRefusedToo() async throws {
    try await withServer { server in
      let port = server.port
      try await withThrowingTaskGroup(of: Void.self) { group in
        for sample in RefusedRequest.corpus where sample.isSeenInTheHead {
          group.addTask {
            let answer = try await onThread {
              let socket = try RawSocket(port: port)
              var option: Int32 = 1
              setsockopt(socket.descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &option, 4)
              let bytes = Array(sample.head.utf8)
              for start in stride(from: 0, to: bytes.count, by: 7) {
                // The server may have refused it by now.
                do { try socket.send(Array(bytes[start..<min(start + 7, bytes.count)])) } catch { break }
                usleep(200)
              }
              return try socket.receiveAll()
            }
            #expect(answer.isEmpty || answer.hasPrefix(sample.expected), "\(sample.name): \(answer.prefix(60))")
          }
        }
        try await group.waitForAll()
      }
    }
  }

  @Test func aRequestSmuggledBehindARefusedOneIsNotServed() async throws {
    let served = Counter()
    try await withServer(
      routes: { router in
        router.on(.get, "/secret") { _ in
          served.increment()
          return .text("secret")
        }
        standardRoutes(&router)
      },
      body: { server in
        let port = server.port
        let answer = try await onThread {
          let socket = try RawSocket(port: port)
          try socket.send(
            "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
              + "GET /secret HTTP/1.1\r\nHost: h\r\n\r\n")
          return try socket.receiveAll()
        }
        #expect(answer.hasPrefix("HTTP/1.1 400 "))
        #expect(!answer.contains("secret"))
        #expect(served.current == 0)
      })
  }

  @Test func oneEmptyLineBeforeARequestIsPassedOver() async throws {
    try await withServer { server in
      let port = server.port
      let answer = try await onThread {
        let socket = try RawSocket(port: port)
        try socket.send("\r\nGET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        return try socket.receiveAll()
      }
      #expect(answer.hasPrefix("HTTP/1.1 200 "))
    }
  }

  @Test func absoluteFormIsServed() async throws {
    try await withServer { server in
      let port = server.port
      let answer = try await onThread {
        let socket = try RawSocket(port: port)
        try socket.send("GET http://h/hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        return try socket.receiveAll()
      }
      #expect(answer.hasSuffix("hello"))
    }
  }

  private func status(_ port: Int, _ head: String) async throws -> String {
    try await onThread {
      let socket = try RawSocket(port: port)
      // Of a large head the server may refuse the rest.
      do { try socket.send(head) } catch let error as SocketError where error.call == "send" {}
      return String(try socket.receiveAll().prefix(12))
    }
  }

  @Test func targetsAndHeadsHaveLimits() async throws {
    try await withServer(
      configure: { configuration in
        configuration.maximumTargetBytes = 100
        configuration.maximumHeadBytes = 1000
      },
      body: { server in
        let port = server.port
        func filler(_ count: Int) -> String { String(repeating: "a", count: count) }
        let longTarget = try await status(port, "GET /\(filler(101)) HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(longTarget == "HTTP/1.1 414")
        let hugeTarget = try await status(port, "GET /\(filler(100_000)) HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(hugeTarget == "HTTP/1.1 414")
        let longHead = try await status(port, "GET / HTTP/1.1\r\nHost: h\r\nX: \(filler(1000))\r\n\r\n")
        #expect(longHead == "HTTP/1.1 431")
        let hugeHead = try await status(port, "GET / HTTP/1.1\r\nHost: h\r\nX: \(filler(100_000))\r\n\r\n")
        #expect(hugeHead == "HTTP/1.1 431")
      })
  }
}
