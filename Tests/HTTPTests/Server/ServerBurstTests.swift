import Foundation
import Synchronization
import Testing

@testable import HTTP

@Suite(.serialized) struct ServerBurstTests {
  /// 128 is the number of events that libmicrohttpd takes at a time: a burst of exactly as many, or a multiple, is
  /// where its own polling threads go to sleep with the requests in their hands.
  @Test(arguments: [(1, 128), (1, 256), (1, 300), (2, 256), (2, 300)])
  func requestsThatArriveTogetherAreAllAnswered(threads: Int, connections: Int) async throws {
    let gate = Gate()
    let plug = Plug()
    try await withServer(
      configure: { $0.threads = threads },
      routes: { router in
        router.on(.get, "/held") { _ in
          await gate.pass()
          return .text("released")
        }
        router.on(.get, "/plug") { _ in
          plug.block()
          await gate.pass()
          return .text("released")
        }
      },
      body: { server in
        let port = server.port
        let plugging = try await onThread { try RawSocket(port: port) }
        let sockets = try await onThread { try (0..<connections).map { _ in try RawSocket(port: port) } }
        for _ in 0..<4 {
          // One of the server's threads is held up, so that it finds all requests of its connections at once.
          try await onThread { try plugging.send("GET /plug HTTP/1.1\r\nHost: h\r\n\r\n") }
          try await eventually("the thread is held up") { plug.isBlocking }
          defer { plug.release() }
          try await onThread { for socket in sockets { try socket.send("GET /held HTTP/1.1\r\nHost: h\r\n\r\n") } }
          plug.release()
          let sent = ContinuousClock.now
          try await eventually("every handler has started") { gate.waiting == connections + 1 }
          gate.open()
          let answers = try await onThread {
            try (sockets + [plugging]).map { try $0.receive(until: "\r\n\r\nreleased") }
          }
          #expect(answers.allSatisfy { $0.hasPrefix("HTTP/1.1 200 ") })
          #expect(ContinuousClock.now - sent < .seconds(5))
        }
      })
  }

  /// Such a line fills libmicrohttpd's buffer, and the connection counts as ready for as long as it is open.
  @Test func aChunkSizeWithoutEndIsCutWhileOthersAreServed() async throws {
    try await withServer(
      configure: {
        $0.threads = 1
        $0.deadlines.bodyGrace = .milliseconds(400)
        $0.deadlines.linger = .milliseconds(100)
      },
      body: { server in
        let port = server.port
        let stuck = try await onThread {
          let socket = try RawSocket(port: port)
          try socket.send("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;")
          try socket.send([UInt8](repeating: UInt8(ascii: "a"), count: 100_000))
          return socket
        }
        let hello = try await onThread {
          let socket = try RawSocket(port: port)
          try socket.send("GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
          return try socket.receiveAll()
        }
        #expect(hello.hasSuffix("hello"))
        #expect(try await onThread { try stuck.receiveAll() }.hasPrefix("HTTP/1.1 408 "))
        try await eventually("both connections are closed") { server.openConnections == 0 }
      })
  }
}

/// Holds the tasks that come to it until it is opened, which lets pass those that wait and no later ones.
private final class Gate: Sendable {
  private let held = Mutex<[CheckedContinuation<Void, Never>]>([])

  var waiting: Int { held.withLock { $0.count } }

  func pass() async {
    await withCheckedContinuation { continuation in held.withLock { $0.append(continuation) } }
  }

  func open() {
    let released = held.withLock { held in
      defer { held = [] }
      return held
    }
    for continuation in released { continuation.resume() }
  }
}

/// Blocks the thread that calls `block` until another releases it, for five seconds at most.
private final class Plug: Sendable {
  private let condition = NSCondition()
  private let blocking = Mutex(false)

  var isBlocking: Bool { blocking.withLock { $0 } }

  func block() {
    condition.lock()
    blocking.withLock { $0 = true }
    let end = Date(timeIntervalSinceNow: 5)
    while isBlocking, condition.wait(until: end) {}
    blocking.withLock { $0 = false }
    condition.unlock()
  }

  func release() {
    condition.lock()
    blocking.withLock { $0 = false }
    condition.broadcast()
    condition.unlock()
  }
}
