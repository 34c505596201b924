import Runtime

/// Ports that stay free while their process is dead: below those that the system gives to outgoing connections.
struct ChaosPorts {
  private var next = Int.random(in: 12_000..<30_000)

  mutating func take() throws -> Int {
    for _ in 0..<2000 {
      next = next < 31_999 ? next + 1 : 12_000
      if TCPPorts.isFree(next) { return next }
    }
    throw StackError("no free port between 12000 and 32000")
  }
}
