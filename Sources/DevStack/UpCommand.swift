import Foundation

/// `devstack up`: starts the stack; stays until a signal, or leaves it running.
struct UpCommand: Sendable {
  let stack: Stack
  let detach: Bool

  func run() async throws {
    let terminal = stack.terminal
    let directory = stack.directory
    try await directory.occupy(terminal)
    do {
      try await Interruption.cancelling {
        let running = try await stack.start()
        terminal.line()
        terminal.line("API      \(running.baseURL)/api/v1")
        terminal.line("vendor   \(running.vendorURL)")
        terminal.line("clients  source \(directory.shortPath)/env")
        terminal.line("logs     \(directory.shortPath)/logs/")
        if detach {
          try directory.leaveRunning()
          terminal.line("stop     \(directory.downCommand)")
        } else {
          terminal.line("stop     Ctrl-C")
          try await watch()
        }
      }
    } catch {
      terminal.line(error is CancellationError ? "\nstopping" : "stopping what was started")
      try await stack.stop()
      if !(error is CancellationError) { throw error }
    }
  }

  /// Tells of processes that end by themselves; returns only by cancellation.
  private func watch() async throws {
    var told: Set<pid_t> = []
    while true {
      for process in stack.ended() where told.insert(process.pid).inserted {
        ChildProcess.reap(process.pid)
        stack.terminal.line(
          "\(process.name) (pid \(process.pid)) has ended:\n\(stack.directory.tail(process.name, lines: 3))")
      }
      try await Task.sleep(for: .milliseconds(500))
    }
  }
}
