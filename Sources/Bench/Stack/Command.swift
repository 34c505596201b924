import Foundation

/// Runs other programs to their end.
enum Command {
  /// What the program writes goes to a file. Cancelling the task sends it SIGTERM and waits for it.
  ///
  /// - Returns: its exit code; of a signal, the negative number.
  /// - Throws: `BenchError` when it cannot be started.
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
    guard let code = try? await run(executable, arguments, output: file), code == 0,
      let text = try? String(contentsOf: file, encoding: .utf8)
    else { return nil }
    return text.trimmingCharacters(in: .whitespacesAndNewlines)
  }
}
