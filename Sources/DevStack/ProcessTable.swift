import Foundation

/// A process of the stack, as it is remembered between two commands.
struct StackProcess: Sendable, Equatable {
  let name: String
  let pid: pid_t
  /// Clock ticks after boot at which the process started: a pid alone may have been given to somebody else since.
  let startTicks: UInt64
  /// Its HTTP base URL; nil for servers that speak something else.
  let url: String?

  /// The process runs still, and is the one that was started.
  var isAlive: Bool { Self.startTicks(of: pid) == startTicks }

  /// When the process with this id started; nil when there is none, or only its exit status is left.
  static func startTicks(of pid: pid_t) -> UInt64? {
    guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
      // The second field is the name in parentheses, which may contain anything.
      let afterName = stat.lastIndex(of: ")")
    else { return nil }
    let fields = stat[stat.index(after: afterName)...].split(separator: " ")
    guard fields.count > 19, fields[0] != "Z", fields[0] != "X" else { return nil }
    return UInt64(fields[19])
  }
}

/// The processes of one stack directory: a line each in `pids`, in the order in which they were started.
struct ProcessTable: Sendable {
  /// Under this name a command that stays in the foreground lists itself; `down` lets it do the stopping.
  static let supervisor = "devstack"

  private let file: URL

  init(file: URL) { self.file = file }

  func all() -> [StackProcess] {
    guard let text = try? String(contentsOf: file, encoding: .utf8) else { return [] }
    return text.split(separator: "\n").compactMap { line in
      let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
      guard fields.count == 4, let pid = pid_t(fields[1]), let ticks = UInt64(fields[2]) else { return nil }
      return StackProcess(name: fields[0], pid: pid, startTicks: ticks, url: fields[3].isEmpty ? nil : fields[3])
    }
  }

  func alive() -> [StackProcess] { all().filter(\.isAlive) }

  func add(_ process: StackProcess) throws { try write(all() + [process]) }

  func remove(name: String) throws { try write(all().filter { $0.name != name }) }

  func clear() throws { try write([]) }

  private func write(_ processes: [StackProcess]) throws {
    let lines = processes.map { "\($0.name)\t\($0.pid)\t\($0.startTicks)\t\($0.url ?? "")\n" }
    try lines.joined().write(to: file, atomically: true, encoding: .utf8)
  }
}
