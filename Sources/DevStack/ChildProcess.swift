import Foundation

/// Why a process could not be started.
struct SpawnError: Error, CustomStringConvertible {
  let executable: String
  let code: Int32

  var description: String { "could not start \(executable): \(String(cString: strerror(code)))" }
}

/// Starts executables that outlive this one.
enum ChildProcess {
  /// glibc's `POSIX_SPAWN_SETSID`, which its header shows to GNU sources only.
  private static let setSession: Int16 = 0x80

  /// Starts an executable in a session of its own, so that a Ctrl-C at this terminal does not reach it; what it writes
  /// is appended to `log`. It inherits no descriptor, and the default signal handling.
  ///
  /// - Returns: its process id.
  static func start(
    _ executable: String, _ arguments: [String], environment: [String: String], log: URL
  ) throws(SpawnError) -> pid_t {
    keepDescriptors()
    var actions = posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawnattr_init(&attributes)
    defer {
      posix_spawn_file_actions_destroy(&actions)
      posix_spawnattr_destroy(&attributes)
    }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.path, O_WRONLY | O_CREAT | O_APPEND, 0o644)
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)

    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    let flags = setSession | Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF)
    posix_spawnattr_setflags(&attributes, flags)

    var pid: pid_t = 0
    let code = withCStrings([executable] + arguments) { arguments in
      withCStrings(environment.map { "\($0.key)=\($0.value)" }) { environment in
        posix_spawn(&pid, executable, &actions, &attributes, arguments, environment)
      }
    }
    guard code == 0 else { throw SpawnError(executable: executable, code: code) }
    return pid
  }

  /// Frees the exit status of children that have ended, so that `/proc` no longer shows them.
  ///
  /// Only for pids this process has started: others are nobody's zombies here.
  static func reap(_ pid: pid_t) {
    var status: Int32 = 0
    _ = waitpid(pid, &status, WNOHANG)
  }

  /// Marks what this process has open as its own.
  private static func keepDescriptors() {
    let open = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    for descriptor in open.compactMap({ Int32($0) }) where descriptor > STDERR_FILENO {
      _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    }
  }

  private static func withCStrings<T>(
    _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> T
  ) -> T {
    var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) }
    defer { for pointer in pointers { free(pointer) } }
    pointers.append(nil)
    return body(pointers)
  }
}
