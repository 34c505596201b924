import Foundation

extension StackDirectory {
  /// Makes sure that no other stack runs here, and lists this process as the one in charge.
  ///
  /// What a supervisor left behind that was itself killed is stopped first.
  /// - Throws: `StackError` when a stack runs here.
  func occupy(_ terminal: Terminal) async throws {
    let listed = table.all()
    let alive = listed.filter(\.isAlive)
    if !alive.isEmpty {
      let wasAbandoned = listed.contains { $0.name == ProcessTable.supervisor && !$0.isAlive }
      guard wasAbandoned else {
        throw StackError(
          "a stack runs in \(root.path) already (\(alive.count) processes): `\(downCommand)` stops it")
      }
      terminal.line("stopping \(alive.count) processes that a killed stack left behind")
      _ = await Stopping.stop(alive)
    }
    try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
    try table.clear()
    let own = getpid()
    try table.add(
      StackProcess(
        name: ProcessTable.supervisor, pid: own, startTicks: StackProcess.startTicks(of: own) ?? 0, url: nil))
  }

  /// From now on nobody watches: `down` stops the processes itself.
  func leaveRunning() throws { try table.remove(name: ProcessTable.supervisor) }

  /// What a person types to stop the stack in this directory.
  var downCommand: String { root.lastPathComponent == ".stack" ? "make down" : "make down STACK_DIR=\(shortPath)" }

  /// Relative to the working directory where that is possible.
  var shortPath: String {
    let here = FileManager.default.currentDirectoryPath + "/"
    return root.path.hasPrefix(here) ? String(root.path.dropFirst(here.count)) : root.path
  }
}
