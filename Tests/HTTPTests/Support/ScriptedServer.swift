import Foundation
import Runtime

/// A server that does what a test wants with each connection, on a thread of its own for each.
final class ScriptedServer: Sendable {
  let port: Int
  let connections = Counter()
  private let listener: RawListener
  private let thread: OwnedThread

  init(_ script: @escaping @Sendable (RawSocket, _ number: Int) throws -> Void) throws {
    let listener = try RawListener()
    self.listener = listener
    port = listener.port
    let connections = self.connections
    thread = OwnedThread.start(name: "scripted") {
      while let socket = try? listener.accept() {
        let number = connections.increment()
        _ = OwnedThread.start(name: "script-\(number)") { try? script(socket, number) }
      }
    }
  }

  /// Ends the listening; scripts under way go on.
  func stop() {
    shutdown(listener.descriptor, Int32(SHUT_RDWR))
    thread.join()
  }

  func url(_ path: String = "/") -> String { "http://127.0.0.1:\(port)\(path)" }
}

extension RawSocket {
  /// Reads a request with its `Content-Length` body; `nil` at the end of the stream.
  func receiveRequest() throws -> String? {
    var text = ""
    while true {
      if let end = text.range(of: "\r\n\r\n") {
        let length =
          text.lowercased().components(separatedBy: "content-length: ").dropFirst().first
          .flatMap { Int($0.prefix { $0.isNumber }) } ?? 0
        if text[end.upperBound...].utf8.count >= length { return text }
      }
      let more = try receive()
      if more.isEmpty { return nil }
      text += String(decoding: more, as: UTF8.self)
    }
  }

  func sendResponse(_ body: String, status: String = "200 OK", headers: String = "") throws {
    try send("HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\(headers)\r\n\(body)")
  }
}
