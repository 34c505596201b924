import Foundation
import Runtime
import Synchronization

/// A program that this one has started.
///
/// Foundation's `Process` is not used: its children inherit the signal mask of the thread that starts them, and threads
/// of Dispatch block every signal, so that such a child does not hear SIGTERM.
final class Child: Sendable {
  private enum State {
    case running([CheckedContinuation<Int32, Never>])
    case ended(Int32)
  }

  private let state = Mutex(State.running([]))
  private let pid: pid_t

  /// Starts a program with the default signal handling; what it writes goes to a file.
  ///
  /// - Throws: `BenchError` when it cannot be started.
  init(_ executable: String, _ arguments: [String], environment: [String: String]? = nil, output: URL) throws {
    let environment = environment ?? ProcessInfo.processInfo.environment
    pid = try Self.spawn(
      executable, arguments, environment.map { "\($0.key)=\($0.value)" }, output: output.path)
    _ = OwnedThread.start(name: "child") { [self] in
      var status: Int32 = 0
      while waitpid(pid, &status, 0) < 0, errno == EINTR {}
      let signalNumber = status & 0x7F
      end(signalNumber == 0 ? (status >> 8) & 0xFF : -signalNumber)
    }
  }

  /// Its exit code once it has ended; of a signal, the negative number. Does not mind cancellation.
  func ended() async -> Int32 {
    await withCheckedContinuation { continuation in
      let code = state.withLock { state -> Int32? in
        switch state {
        case .ended(let code): return code
        case .running(let waiting):
          state = .running(waiting + [continuation])
          return nil
        }
      }
      if let code { continuation.resume(returning: code) }
    }
  }

  /// It as a process to measure.
  func measured(as name: String) -> MeasuredProcess { MeasuredProcess(name: name, pid: pid) }

  /// Does nothing once its end is known: its id may be another's by then.
  func signal(_ number: Int32) {
    state.withLock { if case .running = $0 { kill(pid, number) } }
  }

  private func end(_ code: Int32) {
    let waiting = state.withLock { state -> [CheckedContinuation<Int32, Never>] in
      guard case .running(let waiting) = state else { return [] }
      state = .ended(code)
      return waiting
    }
    for continuation in waiting { continuation.resume(returning: code) }
  }

  /// - Parameter executable: a path, or a name that is looked for on `PATH`.
  private static func spawn(
    _ executable: String, _ arguments: [String], _ environment: [String], output: String
  ) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawnattr_init(&attributes)
    defer {
      posix_spawn_file_actions_destroy(&actions)
      posix_spawnattr_destroy(&attributes)
    }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    // A group of its own: a Ctrl-C at the terminal reaches this program alone, which then stops the child in order.
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))

    var pid: pid_t = 0
    let code = withCStrings([executable] + arguments) { arguments in
      withCStrings(environment) { environment in
        posix_spawnp(&pid, executable, &actions, &attributes, arguments, environment)
      }
    }
    guard code == 0 else { throw BenchError("\(executable) could not be started: \(String(cString: strerror(code)))") }
    return pid
  }

  private static func withCStrings<T>(_ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> T) -> T {
    var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) }
    defer { for pointer in pointers { free(pointer) } }
    pointers.append(nil)
    return body(pointers)
  }
}
