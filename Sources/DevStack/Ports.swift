import Foundation

/// Chooses TCP ports of this machine.
enum Ports {
  /// Whether nobody listens on the port, on any address.
  static func isFree(_ port: Int) -> Bool { bind(port) != nil }

  /// A port that nobody listens on now; the system does not hand it out again soon.
  static func anyFree() -> Int? { bind(0) }

  /// Binds a socket for a moment. `SO_REUSEADDR` looks past connections that linger, not past listeners.
  private static func bind(_ port: Int) -> Int? {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var yes: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = INADDR_ANY
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    return withUnsafeMutablePointer(to: &address) { address in
      address.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic -> Int? in
        guard Glibc.bind(descriptor, generic, length) == 0, getsockname(descriptor, generic, &length) == 0 else {
          return nil
        }
        return Int(in_port_t(bigEndian: address.pointee.sin_port))
      }
    }
  }
}

/// Hands out a stack's ports: those that were asked for, else the usual ones, else free ones.
struct PortPlan {
  private let environment: [String: String]
  private var given: Set<Int> = []

  init(environment: [String: String]) { self.environment = environment }

  /// - Parameters:
  ///   - setting: the environment variable that fixes the port; then a taken port is an error.
  ///   - usual: tried first where nothing was asked for; nil takes any free one.
  /// - Returns: the port, and a sentence when it is another than usual.
  mutating func take(for name: String, setting: String?, usual: Int?) throws -> (port: Int, remark: String?) {
    if let setting, let text = environment[setting], !text.isEmpty {
      guard let port = Int(text), (1...65_535).contains(port) else {
        throw StackError("\(setting)=\(text) is not a port (1–65535)")
      }
      guard Ports.isFree(port), given.insert(port).inserted else {
        throw StackError("port \(port) (\(setting)) is taken; \(name) cannot use it")
      }
      return (port, nil)
    }
    if let usual, !given.contains(usual), Ports.isFree(usual) {
      given.insert(usual)
      return (usual, nil)
    }
    for _ in 0..<100 {
      if let port = Ports.anyFree(), given.insert(port).inserted {
        return (port, usual.map { "port \($0) is taken, \(name) listens on \(port)" })
      }
    }
    throw StackError("no free port for \(name)")
  }
}
