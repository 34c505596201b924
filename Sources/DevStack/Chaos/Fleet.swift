import Foundation
import Synchronization

/// A process that the harness starts, and starts again whenever it has died.
struct FleetMember: Sendable {
  let name: String
  let executable: String
  var arguments: [String] = []
  var environment: [String: String] = [:]
  /// Its HTTP base URL; nil for servers that speak something else.
  var url: String?
}

/// One end of a process.
struct Death: Sendable {
  enum Cause: Sendable, Equatable {
    /// It reached an armed failpoint.
    case failpoint(String)
    /// The harness sent this signal.
    case signal(Int32)
    /// Nobody asked it to end: an exit code, or a signal as a negative number.
    case byItself(Int32)
  }

  let member: String
  let cause: Cause
  let at: ContinuousClock.Instant
  /// From the end until the process started in its place was ready; nil while it is not, or has no `/ready`.
  var recovery: Duration?

  /// `kill -9`, whoever sent it.
  var isKill: Bool {
    switch cause {
    case .failpoint, .signal(SIGKILL): true
    default: false
    }
  }
}

/// Starts processes, watches them, counts what each died of, and starts them again at once.
final class Fleet: Sendable {
  private struct Slot {
    var member: FleetMember
    var pid: pid_t?
    /// Where the running process began to write in its log.
    var logStart: UInt64 = 0
    var sent: Int32?
    var isHeld = false
    /// Somebody is starting it; nobody else may.
    var isStarting = false
    var starts = 0
  }

  private struct State {
    var slots: [String: Slot] = [:]
    var order: [String] = []
    var deaths: [Death] = []
    /// Members that were stopped for a while, once for each time.
    var stops: [String] = []
    /// What a member is armed with at its next start: environment on top of its own.
    var arming: @Sendable (String, Int) -> [String: String] = { _, _ in [:] }
    var isClosing = false
  }

  let directory: StackDirectory
  private let environment: [String: String]
  private let probe: HTTPProbe
  private let state = Mutex(State())
  private let watch = Mutex<Task<Void, Never>?>(nil)

  init(directory: StackDirectory, environment: [String: String]) throws {
    self.directory = directory
    self.environment = environment
    probe = try HTTPProbe()
  }

  /// Begins to watch for deaths.
  func open() {
    watch.withLock { task in
      task = Task { [self] in
        while !Task.isCancelled {
          reap()
          try? await Task.sleep(for: .milliseconds(10))
        }
      }
    }
  }

  /// Stops everything, clients first, then the broker, then the databases.
  func close() async {
    state.withLock { $0.isClosing = true }
    watch.withLock { $0 }?.cancel()
    await watch.withLock { $0 }?.value
    let names = state.withLock { $0.order }
    for name in names { try? signal(name, SIGCONT) }
    let isServer: (String) -> Bool = { $0.hasPrefix("mongod") || $0 == "broker" }
    await stop(names.filter { !isServer($0) }, within: .seconds(8))
    await stop(names.filter { $0 == "broker" }, within: .seconds(5))
    await stop(names.filter { $0.hasPrefix("mongod") }, within: .seconds(10))
    await probe.close()
    // The directory is free for the next fleet.
    try? directory.table.clear()
  }

  private func stop(_ names: [String], within limit: Duration) async {
    let pids = state.withLock { state in names.compactMap { state.slots[$0]?.pid } }
    let processes = pids.map {
      StackProcess(name: "", pid: $0, startTicks: StackProcess.startTicks(of: $0) ?? 0, url: nil)
    }
    for pid in pids { kill(pid, SIGTERM) }
    if await Stopping.waitUntilGone(processes, within: limit) { return }
    for pid in pids { kill(pid, SIGKILL) }
    _ = await Stopping.waitUntilGone(processes, within: .seconds(5))
  }

  // MARK: Members

  func add(_ member: FleetMember) throws {
    state.withLock { state in
      state.slots[member.name] = Slot(member: member)
      state.order.append(member.name)
    }
    try start(member.name)
  }

  var names: [String] { state.withLock { $0.order } }
  var deaths: [Death] { state.withLock { $0.deaths } }
  /// Members that SIGSTOP was sent to, in the order of the signals.
  var stops: [String] { state.withLock { $0.stops } }
  func url(of name: String) -> String? { state.withLock { $0.slots[name]?.member.url } }
  func executable(of name: String) -> String {
    state.withLock { $0.slots[name].map { URL(fileURLWithPath: $0.member.executable).lastPathComponent } ?? "" }
  }
  func isAlive(_ name: String) -> Bool { state.withLock { $0.slots[name]?.pid != nil } }

  /// Sets what members are armed with from their next start on.
  func arm(_ arming: @escaping @Sendable (String, Int) -> [String: String]) {
    state.withLock { $0.arming = arming }
  }

  /// Changes a member's environment from its next start on.
  func setEnvironment(_ name: String, _ values: [String: String]) {
    state.withLock { $0.slots[name]?.member.environment.merge(values) { $1 } }
  }

  /// Sends a signal; a deadly one is remembered as ours.
  func signal(_ name: String, _ number: Int32) throws {
    let pid: pid_t? = state.withLock { state in
      guard let pid = state.slots[name]?.pid else { return nil }
      if number == SIGKILL || number == SIGTERM { state.slots[name]?.sent = number }
      if number == SIGSTOP { state.stops.append(name) }
      return pid
    }
    guard let pid else { return }
    guard kill(pid, number) == 0 || errno == ESRCH else {
      throw StackError("\(name) could not be signalled: \(String(cString: strerror(errno)))")
    }
  }

  /// Kills a member that stays dead until `release`.
  func hold(_ name: String, _ number: Int32 = SIGKILL) async throws {
    state.withLock { $0.slots[name]?.isHeld = true }
    try signal(name, number)
    try await Poll.until("the end of \(name)", within: .seconds(40), every: .milliseconds(10)) {
      isAlive(name) ? nil : true
    }
  }

  func release(_ name: String) throws {
    state.withLock { $0.slots[name]?.isHeld = false }
    try start(name)
  }

  /// Ends a member in order and waits until it has been started again.
  func restart(_ name: String, _ number: Int32 = SIGTERM) async throws {
    try await hold(name, number)
    try release(name)
  }

  func waitUntilReady(_ names: [String], within limit: Duration = .seconds(180)) async throws {
    for name in names {
      guard let url = url(of: name) else { continue }
      try await Poll.until("\(name) to become ready", within: limit, every: .milliseconds(50)) {
        await probe.isReady(url) ? true : nil
      }
    }
  }

  // MARK: Starting and ending

  private func start(_ name: String) throws {
    let prepared: (FleetMember, @Sendable (String, Int) -> [String: String], Int)? = state.withLock { state in
      guard !state.isClosing, var slot = state.slots[name], slot.pid == nil, !slot.isHeld,
        !slot.isStarting
      else { return nil }
      slot.starts += 1
      slot.isStarting = true
      state.slots[name] = slot
      return (slot.member, state.arming, slot.starts)
    }
    guard let (member, arming, count) = prepared else { return }
    let armed = arming(name, count)
    let log = directory.log(name)
    let size = (try? FileManager.default.attributesOfItem(atPath: log.path)[.size] as? UInt64) ?? 0
    let all = environment.merging(member.environment) { $1 }.merging(armed) { $1 }
    let pid: pid_t
    do {
      pid = try ChildProcess.start(member.executable, member.arguments, environment: all, log: log)
    } catch {
      state.withLock { $0.slots[name]?.isStarting = false }
      throw error
    }
    state.withLock { state in
      state.slots[name]?.pid = pid
      state.slots[name]?.isStarting = false
      state.slots[name]?.logStart = size
      state.slots[name]?.sent = nil
    }
    try? directory.table.remove(name: name)
    try directory.table.add(
      StackProcess(name: name, pid: pid, startTicks: StackProcess.startTicks(of: pid) ?? 0, url: member.url))
  }

  private func reap() {
    let running = state.withLock { state in state.slots.compactMap { name, slot in slot.pid.map { (name, $0) } } }
    for (name, pid) in running {
      var status: Int32 = 0
      guard waitpid(pid, &status, WNOHANG) == pid else { continue }
      ended(name, status)
    }
  }

  private func ended(_ name: String, _ status: Int32) {
    let now = ContinuousClock.now
    let slot = state.withLock { state -> Slot? in
      defer { state.slots[name]?.pid = nil }
      return state.slots[name]
    }
    guard let slot else { return }
    let number = status & 0x7f
    let cause: Death.Cause
    if number == SIGKILL, let point = lastWords(name, from: slot.logStart) {
      cause = .failpoint(point)
    } else if let sent = slot.sent, number == sent || (sent == SIGTERM && status == 0) {
      cause = .signal(sent)
    } else {
      cause = .byItself(number == 0 ? (status >> 8) & 0xff : -number)
    }
    let index = state.withLock { state in
      state.deaths.append(Death(member: name, cause: cause, at: now))
      return state.deaths.count - 1
    }
    try? start(name)
    guard let url = slot.member.url else { return }
    Task { [self] in
      // Given up when the process has died again meanwhile, for the next death counts from there.
      while !state.withLock({ $0.isClosing || $0.deaths[(index + 1)...].contains { $0.member == name } }) {
        if await probe.isReady(url) {
          state.withLock { $0.deaths[index].recovery = now.duration(to: .now) }
          return
        }
        try? await Task.sleep(for: .milliseconds(50))
      }
    }
  }

  private func lastWords(_ name: String, from start: UInt64) -> String? {
    guard let file = try? FileHandle(forReadingFrom: directory.log(name)) else { return nil }
    defer { try? file.close() }
    let end = (try? file.seekToEnd()) ?? 0
    try? file.seek(toOffset: max(start, end > 4096 ? end - 4096 : 0))
    let text = String(decoding: (try? file.readToEnd()) ?? Data(), as: UTF8.self)
    let words = "killed at failpoint "
    guard let line = text.split(separator: "\n").last(where: { $0.contains(words) }),
      let range = line.range(of: words)
    else { return nil }
    return String(line[range.upperBound...])
  }
}
