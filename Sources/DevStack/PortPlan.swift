import Runtime

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
      guard TCPPorts.isFree(port), given.insert(port).inserted else {
        throw StackError("port \(port) (\(setting)) is taken; \(name) cannot use it")
      }
      return (port, nil)
    }
    if let usual, !given.contains(usual), TCPPorts.isFree(usual) {
      given.insert(usual)
      return (usual, nil)
    }
    for _ in 0..<100 {
      if let port = TCPPorts.anyFree(), given.insert(port).inserted {
        return (port, usual.map { "port \($0) is taken, \(name) listens on \(port)" })
      }
    }
    throw StackError("no free port for \(name)")
  }
}
