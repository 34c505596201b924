import Foundation
import Synchronization

/// Runs other programs.
enum Command {
  /// Runs a program to its end; what it writes goes to a file. Cancelling the task sends it SIGTERM and waits for it.
  ///
  /// - Returns: its exit code; of a signal, the negative number.
  static func run(
    _ executable: String, _ arguments: [String], environment: [String: String]? = nil, output: URL
  ) async throws -> Int32 {
    let child = try Child(executable, arguments, environment: environment, output: output)
    return await withTaskCancellationHandler {
      await child.ended()
    } onCancel: {
      child.signal(SIGTERM)
    }
  }

  /// The output of a program that says a few lines; nil when it fails or is not there.
  static func output(of executable: String, _ arguments: [String]) async -> String? {
    let file = FileManager.default.temporaryDirectory.appending(path: "minicrm-bench-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: file) }
    guard let code = try? await run("/usr/bin/env", [executable] + arguments, output: file), code == 0,
      let text = try? String(contentsOf: file, encoding: .utf8)
    else { return nil }
    return text.trimmingCharacters(in: .whitespacesAndNewlines)
  }

  /// A program that runs.
  final class Child: Sendable {
    private enum State {
      case running([CheckedContinuation<Int32, Never>])
      case ended(Int32)
    }

    private let state = Mutex(State.running([]))
    let pid: pid_t

    /// - Throws: `BenchError` when it cannot be started.
    init(_ executable: String, _ arguments: [String], environment: [String: String]? = nil, output: URL) throws {
      guard FileManager.default.createFile(atPath: output.path, contents: nil),
        let handle = FileHandle(forWritingAtPath: output.path)
      else { throw BenchError("\(output.path) cannot be written") }
      let process = Process()
      process.executableURL = URL(fileURLWithPath: executable)
      process.arguments = arguments
      if let environment { process.environment = environment }
      process.standardInput = FileHandle.nullDevice
      process.standardOutput = handle
      process.standardError = handle
      let ending = Ending()
      process.terminationHandler = { process in
        ending.set(process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus)
      }
      do {
        try process.run()
      } catch {
        throw BenchError("\(executable) could not be started: \(error)")
      }
      pid = process.processIdentifier
      ending.tell { [self] code in
        let waiting = state.withLock { state -> [CheckedContinuation<Int32, Never>] in
          guard case .running(let waiting) = state else { return [] }
          state = .ended(code)
          return waiting
        }
        for continuation in waiting { continuation.resume(returning: code) }
      }
    }

    /// Its exit code once it has ended. Does not mind cancellation.
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

    /// Does nothing once it has ended: its id may be another's by then.
    func signal(_ number: Int32) {
      state.withLock { if case .running = $0 { kill(pid, number) } }
    }
  }

  /// Carries an exit code to whoever asks, whichever comes first.
  private final class Ending: Sendable {
    private struct State {
      var code: Int32?
      var listener: (@Sendable (Int32) -> Void)?
    }

    private let state = Mutex(State())

    func set(_ code: Int32) {
      state.withLock { state in
        state.code = code
        return state.listener
      }?(code)
    }

    func tell(_ listener: @escaping @Sendable (Int32) -> Void) {
      let code = state.withLock { state in
        state.listener = listener
        return state.code
      }
      if let code { listener(code) }
    }
  }
}
