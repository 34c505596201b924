import Foundation

/// TCP ports of this machine, for those who start servers: development, tests, benchmarks.
public enum TCPPorts {
  /// Whether nobody listens on the port, on any address.
  public static func isFree(_ port: Int) -> Bool {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    // Looks past connections that linger, not past listeners.
    var yes: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = INADDR_ANY
    return withUnsafePointer(to: &address) { address in
      address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
  }

  /// A port that nobody listens on, chosen at random below those that the system gives to outgoing connections: of
  /// those, any might be taken by the time that the server comes to listen.
  ///
  /// - Returns: nil when a thousand attempts found none.
  public static func anyFree() -> Int? {
    for _ in 0..<1000 {
      let port = Int.random(in: choice)
      if isFree(port) { return port }
    }
    return nil
  }

  /// 10,000 to the first ephemeral port, as `/proc/sys/net/ipv4/ip_local_port_range` tells it.
  private static let choice: Range<Int> = {
    let range = try? String(contentsOfFile: "/proc/sys/net/ipv4/ip_local_port_range", encoding: .utf8)
    let first = range?.split(whereSeparator: \.isWhitespace).first.flatMap { Int($0) } ?? 32_768
    return first > 11_000 ? 10_000..<first : 10_000..<65_536
  }()
}
