import Foundation
import Glibc
import Runtime

/// Connections to a server of this machine that have been served once and now do nothing.
final class IdleConnections {
  /// A gateway takes no more than 2,000 from one address.
  private static let perAddress = 1500
  private static let request = Array("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)

  private var descriptors: [Int32] = []

  /// Opens `count` connections and has each served once: a server gives one that has said nothing less time.
  ///
  /// - Throws: `BenchError` when one cannot be opened or is not served.
  init(_ count: Int, port: Int) throws {
    for number in 0..<count {
      try open(port, from: "127.0.1.\(1 + number / Self.perAddress)")
    }
    for descriptor in descriptors {
      var buffer = [UInt8](repeating: 0, count: 4096)
      let received = recv(descriptor, &buffer, buffer.count, 0)
      guard received > 12, String(decoding: buffer[..<12], as: UTF8.self) == "HTTP/1.1 200" else {
        throw BenchError("an idle connection was not served")
      }
    }
  }

  deinit { close() }

  func close() {
    for descriptor in descriptors { Glibc.close(descriptor) }
    descriptors = []
  }

  /// How many the server has not closed.
  var open: Int {
    var polled = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    poll(&polled, nfds_t(polled.count), 0)
    return polled.count { entry in
      var byte: UInt8 = 0
      return entry.revents == 0 || recv(entry.fd, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT)) > 0
    }
  }

  private func open(_ port: Int, from source: String) throws {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { throw BenchError("no socket: \(String(cString: strerror(errno)))") }
    descriptors.append(descriptor)
    var timeout = timeval(tv_sec: 10, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    guard withIPv4Address(source, port: 0, { bind(descriptor, $0, $1) }) == 0,
      withIPv4Address("127.0.0.1", port: port, { connect(descriptor, $0, $1) }) == 0,
      send(descriptor, Self.request, Self.request.count, Int32(MSG_NOSIGNAL)) == Self.request.count
    else {
      throw BenchError("connection \(descriptors.count): \(String(cString: strerror(errno)))")
    }
  }
}
