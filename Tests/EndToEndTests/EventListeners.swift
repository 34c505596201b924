import Foundation
import Runtime

/// Many clients of server-sent events on plain sockets, without a buffer that grows.
final class EventListeners {
  private struct Client {
    let descriptor: Int32
    /// The end of what has been read: longer than an event.
    var tail: [UInt8] = []
    var isOpen = true
  }

  private var clients: [Client] = []

  /// Connects `count` clients to a stream on 127.0.0.1.
  init(_ count: Int, port: Int, path: String) throws {
    for _ in 0..<count {
      let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      let isConnected = withIPv4Address("127.0.0.1", port: port) { connect(descriptor, $0, $1) } == 0
      guard isConnected else { throw TestStack.Failure(description: "connect: \(errno)") }
      let request = Array("GET \(path) HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n".utf8)
      guard write(descriptor, request, request.count) == request.count else {
        throw TestStack.Failure(description: "write: \(errno)")
      }
      clients.append(Client(descriptor: descriptor))
    }
  }

  deinit { for client in clients where client.isOpen { close(client.descriptor) } }

  /// How many have read some text.
  func count(saw text: String) -> Int {
    clients.count { String(decoding: $0.tail, as: UTF8.self).contains(text) }
  }

  /// Reads whatever comes until a condition holds.
  func read(within limit: Duration, until isEnough: (EventListeners) -> Bool) async throws {
    let deadline = ContinuousClock.now + limit
    while !isEnough(self) {
      guard ContinuousClock.now < deadline else { throw TestStack.Failure(description: "not within \(limit)") }
      var polled = clients.map { pollfd(fd: $0.isOpen ? $0.descriptor : -1, events: Int16(POLLIN), revents: 0) }
      guard poll(&polled, nfds_t(polled.count), 0) > 0 else {
        try await Task.sleep(for: .milliseconds(20))
        continue
      }
      for index in polled.indices where polled[index].revents != 0 { receive(index) }
    }
  }

  var areAllClosed: Bool { clients.allSatisfy { !$0.isOpen } }

  private func receive(_ index: Int) {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = recv(clients[index].descriptor, &buffer, buffer.count, 0)
    guard count > 0 else {
      close(clients[index].descriptor)
      clients[index].isOpen = false
      return
    }
    clients[index].tail = Array((clients[index].tail + buffer[..<count]).suffix(2048))
    // A stream that ends leaves its connection open for another request.
    if clients[index].tail.suffix(5).elementsEqual(Array("0\r\n\r\n".utf8)) {
      close(clients[index].descriptor)
      clients[index].isOpen = false
    }
  }
}
