import Foundation

/// `devstack down`: stops a stack by the process ids it has noted.
struct DownCommand: Sendable {
  let stack: Stack

  func run() async throws {
    let directory = stack.directory
    let alive = directory.table.alive()
    guard !alive.isEmpty else {
      stack.terminal.line("nothing runs in \(directory.shortPath)")
      return
    }
    if let supervisor = alive.first(where: { $0.name == ProcessTable.supervisor }) {
      // A stack in the foreground, or a demo: it stops what it started.
      kill(supervisor.pid, SIGTERM)
      guard await Stopping.waitUntilGone([supervisor], within: .seconds(120)) else {
        throw StackError("devstack (pid \(supervisor.pid)) does not end")
      }
    }
    try await stack.stop()
    stack.terminal.line("stopped \(alive.map(\.name).joined(separator: ", "))")
  }
}
