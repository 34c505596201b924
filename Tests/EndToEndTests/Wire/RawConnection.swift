import Foundation
import HTTP
import Runtime

/// A TCP connection that sends exactly the bytes it is given, and waits for nothing longer than it is told.
///
/// It never blocks a thread: it looks again every few milliseconds.
final class RawConnection: Sendable {
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  private static let pause = Duration.milliseconds(5)

  private let descriptor: Int32

  /// Connects to a server on 127.0.0.1.
  ///
  /// - Parameters:
  ///   - url: `http://127.0.0.1:24100`.
  ///   - source: the address to come from, of 127.0.0.0/8: limits that count by address take it for another client.
  init(to url: String, from source: String = "127.0.0.1") throws {
    guard let port = URL(string: url)?.port else { throw Failure(description: "no port in \(url)") }
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard withIPv4Address(source, port: 0, { bind(descriptor, $0, $1) }) == 0,
      withIPv4Address("127.0.0.1", port: port, { connect(descriptor, $0, $1) }) == 0
    else {
      let code = errno
      close(descriptor)
      throw Failure(description: "connect: \(String(cString: strerror(code)))")
    }
    self.descriptor = descriptor
    _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    var on: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
  }

  deinit { close(descriptor) }

  func send(_ text: String, within limit: Duration = .seconds(10)) async throws {
    try await send(Array(text.utf8), within: limit)
  }

  /// Throws when the server has closed the connection, or takes too long to take the bytes.
  func send(_ bytes: [UInt8], within limit: Duration = .seconds(10)) async throws {
    let deadline = ContinuousClock.now + limit
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      if count > 0 {
        rest = rest.dropFirst(count)
        continue
      }
      let code = errno
      guard code == EAGAIN || code == EINTR else {
        throw Failure(description: "send: \(String(cString: strerror(code)))")
      }
      guard ContinuousClock.now < deadline else { throw Failure(description: "send: not within \(limit)") }
      try await Task.sleep(for: Self.pause)
    }
  }

  enum Reading {
    case bytes([UInt8])
    /// The server has closed the connection, or reset it.
    case end
    case nothing
  }

  /// What is there now.
  func read(limit: Int = 65_536) throws -> Reading {
    var buffer = [UInt8](repeating: 0, count: limit)
    let count = recv(descriptor, &buffer, limit, 0)
    if count > 0 { return .bytes(Array(buffer.prefix(count))) }
    let code = errno
    if count == 0 || code == ECONNRESET || code == EPIPE { return .end }
    guard code == EAGAIN || code == EINTR else {
      throw Failure(description: "recv: \(String(cString: strerror(code)))")
    }
    return .nothing
  }

  /// Whether the server has closed the connection; takes away what has come.
  var hasEnded: Bool {
    while true {
      switch try? read() {
      case .bytes: continue
      case .end: return true
      case .nothing, nil: return false
      }
    }
  }

  /// Whether the server has given the connection up, as a byte that is sent tells: a client that reads nothing does not hear
  /// of the end, which waits behind what it has not read.
  func isGivenUp() async -> Bool {
    do {
      try await send("\r", within: .seconds(1))
      return false
    } catch {
      return true
    }
  }

  /// Reads until enough has come, or the server closes.
  ///
  /// - Returns: what has come, and whether the connection has been closed.
  func read(
    within limit: Duration, until isEnough: ([UInt8]) -> Bool = { _ in false }
  ) async throws -> (bytes: [UInt8], isClosed: Bool) {
    let deadline = ContinuousClock.now + limit
    var bytes: [UInt8] = []
    while true {
      switch try read() {
      case .bytes(let more):
        bytes += more
        if isEnough(bytes) { return (bytes, false) }
      case .end: return (bytes, true)
      case .nothing:
        guard ContinuousClock.now < deadline else {
          let text = String(decoding: bytes.prefix(300), as: UTF8.self)
          throw Failure(description: "not within \(limit), after: \(text)")
        }
        try await Task.sleep(for: Self.pause)
      }
    }
  }

  /// Reads one answer that says by `Content-Length` how long it is.
  func answer(within limit: Duration) async throws -> TestStack.Answer {
    let (bytes, _) = try await read(within: limit) { Self.parse($0) != nil }
    guard let answer = Self.parse(bytes) else {
      throw Failure(description: "no answer: \(String(decoding: bytes.prefix(300), as: UTF8.self))")
    }
    return answer
  }

  /// Nil while it is incomplete.
  private static func parse(_ bytes: [UInt8]) -> TestStack.Answer? {
    guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
    let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).split(separator: "\r\n")
    let words = (lines.first ?? "").split(separator: " ")
    guard words.count > 1, let status = Int(words[1]) else { return nil }
    var headers = HTTPHeaders()
    for line in lines.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2 else { return nil }
      headers.add(String(parts[0]), parts[1].trimmingCharacters(in: .whitespaces))
    }
    let body = Array(bytes[end.upperBound...])
    guard let length = headers["Content-Length"].flatMap({ Int($0) }), body.count >= length else { return nil }
    return TestStack.Answer(status: status, headers: headers, body: Array(body.prefix(length)))
  }
}
