import Foundation

/// Stops processes by their ids, in the reverse order of their start.
enum Stopping {
  /// Clients first, then the broker, the database last; within a step all at once.
  static let lastSteps = ["broker", "mongod"]

  /// How long a process may take after SIGTERM: its own limit is 30 s.
  static let grace: Duration = .seconds(35)

  /// - Returns: the names of those that had to be killed.
  static func stop(_ processes: [StackProcess], grace: Duration = grace) async -> [String] {
    var killed = await stopTogether(processes.filter { !lastSteps.contains($0.name) }, grace)
    for name in lastSteps { killed += await stopTogether(processes.filter { $0.name == name }, grace) }
    return killed
  }

  private static func stopTogether(_ processes: [StackProcess], _ grace: Duration) async -> [String] {
    for process in processes where process.isAlive { kill(process.pid, SIGTERM) }
    if await waitUntilGone(processes, within: grace) { return [] }
    let stubborn = processes.filter(\.isAlive)
    for process in stubborn { kill(process.pid, SIGKILL) }
    _ = await waitUntilGone(stubborn, within: .seconds(5))
    return stubborn.map(\.name)
  }

  /// Whether all have ended before the time is up. Goes on when the waiting task is cancelled: what was started is
  /// stopped, however impatient the user.
  static func waitUntilGone(_ processes: [StackProcess], within limit: Duration) async -> Bool {
    let deadline = ContinuousClock.now + limit
    while true {
      for process in processes { ChildProcess.reap(process.pid) }
      if !processes.contains(where: \.isAlive) { return true }
      if ContinuousClock.now > deadline { return false }
      await Task.detached { try? await Task.sleep(for: .milliseconds(20)) }.value
    }
  }
}
