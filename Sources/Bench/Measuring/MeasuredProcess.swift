import Foundation

/// A process whose use of the machine is measured, by `/proc`.
struct MeasuredProcess: Sendable {
  let name: String
  let pid: pid_t
  /// Clock ticks after boot at which it started: a pid alone may be another's by now.
  private let startTicks: UInt64

  private init(name: String, pid: pid_t, startTicks: UInt64) {
    self.name = name
    self.pid = pid
    self.startTicks = startTicks
  }

  /// The process that has this id now.
  init(name: String, pid: pid_t) {
    self.init(name: name, pid: pid, startTicks: Self.fields(of: pid)?.startTicks ?? 0)
  }

  /// This process: the load.
  static var own: MeasuredProcess { MeasuredProcess(name: "minicrm-bench", pid: getpid()) }

  /// The processes of a stack, in the order of their start, from its table: name, pid and start time, tab-separated.
  static func listed(in file: URL) -> [MeasuredProcess] {
    guard let text = try? String(contentsOf: file, encoding: .utf8) else { return [] }
    return text.split(separator: "\n").compactMap { line in
      let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
      guard fields.count >= 3, let pid = pid_t(fields[1]), let ticks = UInt64(fields[2]) else { return nil }
      return MeasuredProcess(name: String(fields[0]), pid: pid, startTicks: ticks)
    }
  }

  var isAlive: Bool { Self.fields(of: pid)?.startTicks == startTicks }

  /// CPU time of all its threads, user and system, in seconds; 0 when it is gone.
  var cpuSeconds: Double {
    guard let fields = Self.fields(of: pid), fields.startTicks == startTicks else { return 0 }
    return Double(fields.cpuTicks) / Self.ticksPerSecond
  }

  private static let ticksPerSecond = Double(sysconf(Int32(_SC_CLK_TCK)))

  private static func fields(of pid: pid_t) -> (cpuTicks: UInt64, startTicks: UInt64)? {
    guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
      // The second field is the name in parentheses, which may contain anything.
      let afterName = stat.lastIndex(of: ")")
    else { return nil }
    let fields = stat[stat.index(after: afterName)...].split(separator: " ")
    guard fields.count > 19, fields[0] != "Z", fields[0] != "X", let user = UInt64(fields[11]),
      let system = UInt64(fields[12]), let start = UInt64(fields[19])
    else { return nil }
    return (user + system, start)
  }

  /// Lets the peak of resident memory begin anew.
  ///
  /// - Returns: whether the system allows that.
  func resetPeak() -> Bool {
    guard let file = FileHandle(forWritingAtPath: "/proc/\(pid)/clear_refs") else { return false }
    defer { try? file.close() }
    return (try? file.write(contentsOf: Data("5\n".utf8))) != nil
  }

  /// Peak and present resident memory, in bytes.
  var residentBytes: (peak: Int, now: Int) {
    guard let status = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8) else { return (0, 0) }
    func kilobytes(_ name: String) -> Int {
      guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix(name) }) else { return 0 }
      return line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0
    }
    return (kilobytes("VmHWM:") * 1024, kilobytes("VmRSS:") * 1024)
  }
}
