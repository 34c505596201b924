import Foundation

/// A file system of its own (tmpfs) that can be filled to the last byte. Needs root.
struct SmallDisk: Sendable {
  let path: URL

  private var filler: URL { path.appending(path: "filler") }

  /// - Throws: `StackError` where mounting is not allowed.
  static func mount(_ path: URL, megabytes: Int) async throws -> SmallDisk {
    try FileManager.default.createDirectory(at: path, withIntermediateDirectories: true)
    try await run("/usr/bin/mount", ["-t", "tmpfs", "-o", "size=\(megabytes)m", "tmpfs", path.path])
    return SmallDisk(path: path)
  }

  func unmount() async {
    try? await Self.run("/usr/bin/umount", ["-l", path.path])
  }

  /// Writes until nothing more fits. What others free meanwhile is taken as well, so it is to be called again.
  func fill() throws {
    let descriptor = open(filler.path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    guard descriptor >= 0 else { throw StackError("\(filler.path): \(String(cString: strerror(errno)))") }
    defer { close(descriptor) }
    for size in [1 << 20, 4096, 1] {
      let block = [UInt8](repeating: 0x2E, count: size)
      while write(descriptor, block, size) > 0 {}
    }
    guard errno == ENOSPC else { throw StackError("\(filler.path): \(String(cString: strerror(errno)))") }
  }

  func free() throws { try FileManager.default.removeItem(at: filler) }

  private static func run(_ tool: String, _ arguments: [String]) async throws {
    let log = FileManager.default.temporaryDirectory.appending(path: "mount-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: log) }
    let pid = try ChildProcess.start(tool, arguments, environment: [:], log: log)
    var status: Int32 = 0
    let deadline = ContinuousClock.now + .seconds(10)
    while waitpid(pid, &status, WNOHANG) == 0, ContinuousClock.now < deadline {
      try await Task.sleep(for: .milliseconds(10))
    }
    guard status == 0 else {
      let text = (try? String(contentsOf: log, encoding: .utf8)) ?? ""
      throw StackError("\(tool) \(arguments.joined(separator: " ")): \(text)")
    }
  }
}
