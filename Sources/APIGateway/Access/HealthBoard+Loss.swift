import Runtime
import ServiceHost

extension HealthBoard {
  /// Gives `body` up as soon as the database is known to be away, whatever it waits for: that ends by its own time-outs
  /// only, after a minute where a server is silent.
  ///
  /// A body that is given up is cancelled and not waited for; what it still brings is dropped.
  /// - Parameter limit: after which it is given up in any case; nil: never.
  /// - Returns: nil when it was given up, or when the waiting task was cancelled.
  func unlessDatabaseIsLost<Value: Sendable, Failure: Error>(
    within limit: Duration? = nil, _ body: @escaping @Sendable () async throws(Failure) -> Value
  ) async throws(Failure) -> Value? {
    let outcome = Latch<Result<Value, Failure>?>()
    let work = Task {
      do throws(Failure) {
        outcome.set(.success(try await body()))
      } catch {
        outcome.set(.failure(error))
      }
    }
    let timer = limit.map { outcome.set(nil, after: $0) }
    let watcher = watch(.database) { outcome.set(nil) }
    defer {
      forget(watcher)
      timer?.cancel()
      work.cancel()
    }
    let result: Result<Value, Failure>? = await outcome.wait() ?? nil
    return try result?.get()
  }
}
