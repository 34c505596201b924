import Foundation

/// Samples the stack's processes with Linux' `perf`, and writes what they were doing as text.
struct Profiler: Sendable {
  private let processes: [MeasuredProcess]
  private let directory: URL
  private let console: Console

  private static let samplesPerSecond = 499

  /// - Throws: `BenchError` when there is no `perf` here.
  init(_ running: RunningStack, into directory: URL, _ console: Console) throws {
    let candidates = ["/usr/bin/perf", "/usr/local/bin/perf"]
    guard candidates.contains(where: FileManager.default.isExecutableFile(atPath:)) else {
      throw BenchError("PROFILE: there is no perf here (Debian: apt-get install linux-perf)")
    }
    processes = running.processes
    self.directory = directory.appending(path: "profile")
    self.console = console
    try FileManager.default.createDirectory(at: self.directory, withIntermediateDirectories: true)
  }

  func record(_ name: String) async throws -> Recording {
    let data = directory.appending(path: "\(name).data")
    // The processor's clock works in virtual machines, too; Swift keeps frame pointers.
    let arguments = [
      "perf", "record", "--event", "cpu-clock", "--freq", "\(Self.samplesPerSecond)", "--call-graph", "fp",
      "--output", data.path, "--pid", processes.map { "\($0.pid)" }.joined(separator: ","),
    ]
    let log = directory.appending(path: "\(name).log")
    let child = try Command.Child("/usr/bin/env", arguments, output: log)
    return Recording(name: name, child: child, data: data, processes: processes, directory: directory, console: console)
  }

  /// A recording under way.
  struct Recording: Sendable {
    fileprivate let name: String
    fileprivate let child: Command.Child
    fileprivate let data: URL
    fileprivate let processes: [MeasuredProcess]
    fileprivate let directory: URL
    fileprivate let console: Console

    func abandon() async {
      child.signal(SIGINT)
      _ = await child.ended()
    }

    /// Ends the recording and writes a file a process: where the time was spent, and under which callers.
    func finish() async {
      await abandon()
      for process in processes {
        let flat = await report(process, ["--no-children", "--call-graph", "none", "--percent-limit", "0.3"])
        let callers = await report(process, ["--children", "--call-graph", "none", "--percent-limit", "1"])
        let text = "# Self\n\(flat)\n\n# With callees\n\(callers)\n"
        let file = directory.appending(path: "\(name)-\(process.name).txt")
        try? text.write(to: file, atomically: true, encoding: .utf8)
      }
      console.progress("  profile: \(directory.path)/\(name)-*.txt")
    }

    private func report(_ process: MeasuredProcess, _ options: [String]) async -> String {
      let arguments =
        ["report", "--stdio", "--input", data.path, "--pid", "\(process.pid)", "--sort", "dso,symbol"] + options
      return await Command.output(of: "perf", arguments) ?? "perf report failed"
    }
  }
}
