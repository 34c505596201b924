import Foundation
import HTTP
import JSON
import Testing
import WireCorpus

/// The running gateway against clients that send exactly what they like, as slowly as they like.
@Suite(.serialized) struct WireTests {
  private static let stack = Task { try await TestStack.start() }

  private var stack: TestStack { get async throws { try await Self.stack.value } }

  /// Answered 200 wherever it is served.
  private static let hidden = "GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n"

  /// The statuses of all answers in what came.
  private static func statuses(in bytes: [UInt8]) -> [String] {
    String(decoding: bytes, as: UTF8.self).components(separatedBy: "HTTP/1.1 ").dropFirst().map { String($0.prefix(3)) }
  }

  // MARK: Requests that two readers would take differently

  @Test func whatIsRefusedIsRefusedOnceAndTheConnectionEnds() async throws {
    let url = try await stack.baseURL
    try await withThrowingTaskGroup(of: Void.self) { group in
      for sample in RefusedRequest.corpus {
        group.addTask {
          let connection = try RawConnection(to: url)
          // The server may have closed before it has taken everything.
          try? await connection.send(sample.head + Self.hidden + Self.hidden)
          let (bytes, isClosed) = try await connection.read(within: .seconds(20))
          let text = String(decoding: bytes, as: UTF8.self)
          #expect(isClosed, "\(sample.name)")
          #expect(text.hasPrefix(sample.expected), "\(sample.name): \(text.prefix(100))")
          // libmicrohttpd writes the head of its own refusal twice when it is about a length: one refusal all the same.
          let others = Self.statuses(in: bytes).filter { $0 != String(sample.status) }
          #expect(others == [], "\(sample.name): a request behind it was served: \(text)")
        }
      }
      try await group.waitForAll()
    }
    #expect(try await stack.request(.get, "/ready").status == 200)
  }

  /// What the test above looks for does occur where it may.
  @Test func requestsBehindAGoodOneAreServedInOrder() async throws {
    let connection = try RawConnection(to: try await stack.baseURL)
    let body = #"{"name":""}"#
    try await connection.send(
      "POST /api/v1/leads HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)"
        + "\r\n\r\n\(body)\(Self.hidden)GET /health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    let (bytes, _) = try await connection.read(within: .seconds(10))
    #expect(Self.statuses(in: bytes) == ["400", "200", "200"])
  }

  /// A body that looks like a request stays a body.
  @Test func whatStandsInABodyIsNotARequest() async throws {
    let connection = try RawConnection(to: try await stack.baseURL)
    try await connection.send(
      "POST /api/v1/leads HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
        + "Content-Length: \(Self.hidden.utf8.count)\r\n\r\n\(Self.hidden)")
    let (bytes, _) = try await connection.read(within: .seconds(10))
    #expect(Self.statuses(in: bytes) == ["400"])
  }

  // MARK: Slow clients

  /// Sends a little again and again until the server ends the connection.
  private static func dribble(
    _ url: String, _ start: String, _ piece: String
  ) async throws -> (answer: String, lasted: Duration) {
    let connection = try RawConnection(to: url)
    let began = ContinuousClock.now
    try await connection.send(start)
    var answer: [UInt8] = []
    while began.duration(to: .now) < .seconds(40) {
      switch try connection.read() {
      case .bytes(let more): answer += more
      case .end: return (String(decoding: answer, as: UTF8.self), began.duration(to: .now))
      case .nothing:
        // The end shows in the next read.
        try? await connection.send(piece)
        try await Task.sleep(for: .milliseconds(150))
      }
    }
    throw TestStack.Failure(description: "still open after \(began.duration(to: .now)): \(start.prefix(60))")
  }

  /// Asks for much and reads nothing of it, until the server gives the connection up.
  private static func neverRead(_ url: String) async throws -> Duration {
    let connection = try RawConnection(to: url)
    let began = ContinuousClock.now
    let request = "GET /api/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    // More answers than the buffers on the way can hold. Those that are not taken in time are the test.
    try await connection.send(String(repeating: request, count: 200))
    try await until("the connection is cut", within: .seconds(60)) { await connection.isGivenUp() }
    return began.duration(to: .now)
  }

  @Test func slowClientsAreCutByTheClockWhileOthersAreServed() async throws {
    let stack = try await stack
    let url = stack.baseURL
    let post = "POST /api/v1/leads HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    async let head = Self.dribble(url, "GET /health HTTP/1.1\r\nHost: h\r\nX-Slow: ", "a")
    async let requestLine = Self.dribble(url, "GET /", "a")
    async let keptLine = Self.dribble(url, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /", "a")
    async let nothing = Self.dribble(url, "", "")
    async let body = Self.dribble(url, post + "Content-Length: 100000\r\n\r\n{", " ")
    async let chunks = Self.dribble(url, post + "Transfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n")
    async let unread = Self.neverRead(url)
    let slowest = try await Self.slowest(stack, for: .seconds(14))
    #expect(slowest < .seconds(5), "others are served meanwhile")
    let cut = try await [
      ("head", head, "HTTP/1.1 408 "), ("request line", requestLine, ""),
      ("kept line", keptLine, "HTTP/1.1 200 "), ("nothing", nothing, ""),
      ("body", body, "HTTP/1.1 408 "), ("chunks", chunks, "HTTP/1.1 408 "),
    ]
    for (name, (answer, lasted), expected) in cut {
      #expect(expected.isEmpty ? answer.isEmpty : answer.hasPrefix(expected), "\(name): \(answer.prefix(200))")
      // Ten seconds are given; a busy machine looks later.
      #expect(lasted > .seconds(9) && lasted < .seconds(25), "\(name) lasted \(lasted)")
    }
    let patience = try await unread
    #expect(patience > .seconds(9) && patience < .seconds(40), "unread answers are held for \(patience)")
    print("wire: slow clients cut after \(cut.map { "\($0.0) \($0.1.lasted)" }), unread \(patience), others \(slowest)")
  }

  /// The slowest answer to a client that asks one thing after another for a while.
  private static func slowest(_ stack: TestStack, for time: Duration) async throws -> Duration {
    let began = ContinuousClock.now
    var slowest = Duration.zero
    while began.duration(to: .now) < time {
      for path in ["/health", "/api/v1/leads?limit=1"] {
        let asked = ContinuousClock.now
        #expect(try await stack.request(.get, path).status == 200)
        slowest = max(slowest, asked.duration(to: .now))
      }
      try await Task.sleep(for: .milliseconds(50))
    }
    return slowest
  }

  // MARK: Many connections

  @Test func idleConnectionsLeaveOthersServed() async throws {
    let stack = try await stack
    var idle: [RawConnection] = []
    for number in 0..<1500 {
      idle.append(try RawConnection(to: stack.baseURL, from: "127.0.0.\(2 + number / 1000)"))
    }
    // Each has been served once: it may stay for a minute.
    for connection in idle { try await connection.send("GET /health HTTP/1.1\r\nHost: h\r\n\r\n") }
    for connection in idle { #expect(try await connection.answer(within: .seconds(20)).status == 200) }
    let slowest = try await Self.slowest(stack, for: .seconds(3))
    #expect(slowest < .seconds(5))
    for connection in idle.prefix(20) {
      try await connection.send("GET /health HTTP/1.1\r\nHost: h\r\n\r\n")
      #expect(try await connection.answer(within: .seconds(5)).status == 200, "an idle connection is still good")
    }
  }

  @Test func oneAddressCannotTakeAllConnections() async throws {
    let stack = try await stack
    var taken: [RawConnection] = []
    for _ in 0..<2100 { taken.append(try RawConnection(to: stack.baseURL, from: "127.0.0.9")) }
    let connections = taken
    try await until("what is beyond 2,000 is closed", within: .seconds(8)) {
      connections.count { $0.hasEnded } >= 100
    }
    #expect(try await stack.request(.get, "/health").status == 200, "another address is served")
    let open = connections.filter { !$0.hasEnded }
    #expect(open.count <= 2000)
  }
}
