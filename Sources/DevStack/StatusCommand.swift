/// `devstack status`: what runs, and whether it is ready.
struct StatusCommand: Sendable {
  let stack: Stack

  /// - Returns: whether the stack is up and all of it is ready.
  func run() async throws -> Bool {
    let processes = stack.directory.table.all()
    guard !processes.isEmpty else {
      stack.terminal.line("nothing runs in \(stack.directory.shortPath)")
      return false
    }
    let probe = try HTTPProbe()
    var allReady = true
    for process in processes {
      let state: String
      if !process.isAlive {
        state = "ended"
      } else if let url = process.url {
        state = await probe.isReady(url) ? "ready" : "not ready"
      } else {
        state = "running"
      }
      if state == "ended" || state == "not ready" { allReady = false }
      stack.terminal.line(
        "\(padded(process.name, 22))pid \(padded("\(process.pid)", 9))\(padded(state, 11))\(process.url ?? "")")
    }
    await probe.close()
    return allReady
  }
}
