import Dispatch
import Foundation

/// Turns a signal into a task's cancellation.
enum Interruption {
  /// Runs `body`; SIGINT, SIGTERM or SIGHUP cancels it. Signals stay ignored afterwards, so that stopping what was
  /// started is not cut short.
  static func cancelling<T: Sendable>(_ body: @escaping @Sendable () async throws -> T) async throws -> T {
    let work = Task(operation: body)
    let sources = [SIGINT, SIGTERM, SIGHUP].map { number in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler { work.cancel() }
      source.resume()
      return source
    }
    defer { for source in sources { source.cancel() } }
    do {
      return try await work.value
    } catch {
      // Whatever a cancelled call throws, the reason is the signal.
      throw work.isCancelled ? CancellationError() : error
    }
  }
}
