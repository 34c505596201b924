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
    return withIPv4Address("0.0.0.0", port: port) { bind(descriptor, $0, $1) } == 0
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

  /// 10,000 to the first ephemeral port, as `/proc/sys/net/ipv4/ip_local_port_range` tells it; where it cannot be read, as
  /// Linux has it by default.
  private static let choice: Range<Int> = {
    let range = try? String(contentsOfFile: "/proc/sys/net/ipv4/ip_local_port_range", encoding: .utf8)
    let first = range?.split(whereSeparator: \.isWhitespace).first.flatMap { Int($0) } ?? 32_768
    return first > 11_000 ? 10_000..<first : 10_000..<65_536
  }()
}
