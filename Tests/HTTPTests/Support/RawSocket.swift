import Foundation
import Runtime

/// Blocking calls of tests run on these threads, never on the cooperative pool.
private let threads = BlockingPool(name: "test-io", threads: 24)

func onThread<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
  try await threads.run(body)
}

struct SocketError: Error {
  let call: String
  let code: Int32
}

/// A blocking TCP socket that sends exactly the bytes it is given.
final class RawSocket: Sendable {
  let descriptor: Int32

  init(descriptor: Int32) { self.descriptor = descriptor }

  /// Connects to 127.0.0.1.
  init(port: Int, readTimeout: Double = 5) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    let result = withIPv4Address("127.0.0.1", port: port) { connect(descriptor, $0, $1) }
    guard result == 0 else { throw SocketError(call: "connect", code: errno) }
    setReadTimeout(readTimeout)
  }

  /// Begins to connect to 127.0.0.1 and does not wait for the outcome.
  static func connecting(port: Int) throws -> RawSocket {
    let socket = RawSocket(descriptor: Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
    _ = fcntl(socket.descriptor, F_SETFL, O_NONBLOCK)
    _ = withIPv4Address("127.0.0.1", port: port) { connect(socket.descriptor, $0, $1) }
    return socket
  }

  deinit { Foundation.close(descriptor) }

  func setReadTimeout(_ seconds: Double) {
    var timeout = timeval(tv_sec: Int(seconds), tv_usec: Int((seconds - seconds.rounded(.down)) * 1e6))
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
  }

  func send(_ text: String) throws { try send(Array(text.utf8)) }

  func send(_ bytes: [UInt8]) throws {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Foundation.send(descriptor, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { throw SocketError(call: "send", code: errno) }
      sent += count
    }
  }

  /// Up to `limit` bytes; empty at the end of the stream.
  func receive(limit: Int = 65_536) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: limit)
    let count = recv(descriptor, &bytes, limit, 0)
    guard count >= 0 else { throw SocketError(call: "recv", code: errno) }
    return Array(bytes.prefix(count))
  }

  /// Everything to the end of the stream. A reset counts as an end, a time-out throws.
  func receiveAll() throws -> String {
    var bytes: [UInt8] = []
    while true {
      do {
        let more = try receive()
        if more.isEmpty { break }
        bytes += more
      } catch let error as SocketError where error.code == ECONNRESET {
        break
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Reads until what has come contains `text`.
  func receive(until text: String) throws -> String {
    var received = ""
    while !received.contains(text) {
      let more = try receive()
      if more.isEmpty { throw SocketError(call: "recv: end of stream after \(received)", code: 0) }
      received += String(decoding: more, as: UTF8.self)
    }
    return received
  }

  func endSending() { shutdown(descriptor, Int32(SHUT_WR)) }

  /// Closing answers with a reset from now on.
  func resetOnClose() {
    var option = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
  }
}

/// A listening socket on a free port.
final class RawListener: Sendable {
  let descriptor: Int32
  let port: Int

  init() throws {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    descriptor = listener
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        bind(listener, pointer, length) == 0 && Foundation.listen(listener, 512) == 0
          && getsockname(listener, pointer, &length) == 0
      }
    }
    guard result else { throw SocketError(call: "listen", code: errno) }
    port = Int(UInt16(bigEndian: address.sin_port))
  }

  deinit { Foundation.close(descriptor) }

  func accept() throws -> RawSocket {
    let accepted = Foundation.accept(descriptor, nil, nil)
    guard accepted >= 0 else { throw SocketError(call: "accept", code: errno) }
    let socket = RawSocket(descriptor: accepted)
    socket.setReadTimeout(5)
    return socket
  }
}
