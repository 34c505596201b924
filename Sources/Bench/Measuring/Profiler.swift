import Foundation

/// Samples the stack's processes with Linux' `perf`, and writes what they were doing as text.
struct Profiler: Sendable {
  private let processes: [MeasuredProcess]
  private let directory: URL
  private let console: Console

  private static let samplesPerSecond = 499

  /// Says so, and is nil, when there is no `perf` here.
  init?(_ running: RunningStack, into directory: URL, _ console: Console) async throws {
    guard let version = await Command.output(of: "perf", ["--version"]) else {
      console.progress("no profile: there is no perf here (Debian: apt-get install linux-perf)")
      return nil
    }
    console.progress("profiling with \(version)")
    processes = running.processes
    self.directory = directory.appending(path: "profile")
    self.console = console
    if FileManager.default.fileExists(atPath: self.directory.path) {
      try FileManager.default.removeItem(at: self.directory)
    }
    try FileManager.default.createDirectory(at: self.directory, withIntermediateDirectories: true)
  }

  /// Runs a scenario with the profiler on, if there is one.
  static func profiled<T>(_ name: String, _ profiler: Profiler?, _ body: () async throws -> T) async throws -> T {
    guard let profiler else { return try await body() }
    let recording = try await profiler.record(name)
    do {
      let result = try await body()
      await recording.finish()
      return result
    } catch {
      await recording.abandon()
      throw error
    }
  }

  func record(_ name: String) async throws -> Recording {
    let data = directory.appending(path: "\(name).data")
    // The whole machine where that is allowed: a buffer a processor costs far less than one a thread.
    let scope = geteuid() == 0 ? ["--all-cpus"] : ["--pid", processes.map { "\($0.pid)" }.joined(separator: ",")]
    // The processor's clock works in virtual machines, too; Swift keeps frame pointers.
    let arguments =
      ["record", "--event", "cpu-clock", "--freq", "\(Self.samplesPerSecond)", "--call-graph", "fp"]
      + ["--output", data.path] + scope
    let log = directory.appending(path: "\(name).log")
    let child = try Child("perf", arguments, output: log)
    return Recording(name: name, child: child, data: data, processes: processes, directory: directory, console: console)
  }

  /// A recording under way.
  struct Recording: Sendable {
    fileprivate let name: String
    fileprivate let child: Child
    fileprivate let data: URL
    fileprivate let processes: [MeasuredProcess]
    fileprivate let directory: URL
    fileprivate let console: Console

    func abandon() async {
      child.signal(SIGINT)
      let patience = Task {
        try await Task.sleep(for: .seconds(60))
        child.signal(SIGKILL)
      }
      _ = await child.ended()
      patience.cancel()
    }

    /// Ends the recording and writes a file a process: where the time was spent, and under which callers.
    func finish() async {
      await abandon()
      for process in processes {
        let own = await report(process, ["--no-children"], symbolColumn: 3)
        let callees = await report(process, ["--children"], symbolColumn: 4)
        let file = directory.appending(path: "\(name)-\(process.name).txt")
        let text = "# percent of the process's CPU time, itself\n\(own)\n\n# with what it calls\n\(callees)\n"
        try? text.write(to: file, atomically: true, encoding: .utf8)
      }
      console.progress("  profile: \(directory.path)/\(name)-*.txt")
    }

    /// The functions of a process that took the most time, its threads together.
    ///
    /// The thread is one of perf's sort keys: without it, perf merges what several processes spend in the same library
    /// before it looks at `--pid`.
    private func report(_ process: MeasuredProcess, _ options: [String], symbolColumn: Int) async -> String {
      let arguments =
        ["report", "--stdio", "--input", data.path, "--pid", "\(process.pid)", "--percentage", "relative"]
        + ["--sort", "pid,dso,symbol", "--call-graph", "none", "--field-separator", "|"] + options
      guard let text = await Command.output(of: "perf", arguments) else { return "perf report failed" }
      var shares: [String: Double] = [:]
      for line in text.split(separator: "\n") where !line.hasPrefix("#") {
        let fields = line.split(separator: "|", omittingEmptySubsequences: false).map {
          $0.trimmingCharacters(in: .whitespaces)
        }
        guard fields.count > symbolColumn, let share = Double(fields[0].prefix { $0 != "%" }) else { continue }
        shares["\(fields[symbolColumn - 1])  \(fields[symbolColumn])", default: 0] += share
      }
      return await Self.demangled(
        shares.filter { $0.value >= 0.3 }.sorted { $0.value > $1.value }.prefix(200)
          .map { "\(fixed($0.value, 2))  \($0.key)" }.joined(separator: "\n"))
    }

    /// With Swift's names readable, where the tool for it is at hand.
    private static func demangled(_ text: String) async -> String {
      let file = FileManager.default.temporaryDirectory.appending(path: "minicrm-bench-\(UUID().uuidString)")
      defer { try? FileManager.default.removeItem(at: file) }
      guard (try? text.write(to: file, atomically: true, encoding: .utf8)) != nil else { return text }
      return await Command.output(of: "sh", ["-c", "swift demangle --simplified <\"$0\"", file.path]) ?? text
    }
  }
}
