import Runtime
import Synchronization

/// Runs blocking jobs on the pool's threads; a caller never waits for a thread longer than `waitLimit`, nor after its task
/// was cancelled.
final class JobQueue: Sendable {
  private let pool: BlockingPool
  private let threads: Int
  private let waitLimit: Duration
  /// Jobs submitted and not ended, abandoned ones included until a thread has dropped them.
  private let inFlight = Atomic<Int>(0)

  init(name: String, threads: Int, waiting: Int, waitLimit: Duration) {
    pool = BlockingPool(name: name, threads: threads, queueLimit: waiting)
    self.threads = threads
    self.waitLimit = waitLimit
  }

  /// - Throws: what `body` throws; `MongoError` `.exhausted` or `.closed`; `CancellationError`, in which case `body` has not
  ///   run and will not.
  func run<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
    try Task.checkCancellation()
    // With a thread to spare the job starts at once, and needs no timer.
    if inFlight.wrappingAdd(1, ordering: .relaxed).oldValue < threads {
      return try await submit(body)
    }
    return try await race(limit: waitLimit, covers: .waiting, submitting: body) {
      MongoError(kind: .exhausted, message: "no connection became free within \(self.waitLimit)")
    }
  }

  /// As `run`, but the caller gets `.unavailable` after `limit` even when `body` still runs; the thread goes on until `body`
  /// returns.
  func run<T: Sendable>(within limit: Duration, _ body: @escaping @Sendable () throws -> T) async throws -> T {
    inFlight.add(1, ordering: .relaxed)
    return try await race(limit: limit, covers: .waitingAndRunning, submitting: body) {
      MongoError(kind: .unavailable, message: "no answer within \(limit)")
    }
  }

  /// Fails the jobs that wait, and returns when those that run have ended.
  func shutdown() async { await pool.shutdown() }

  private func race<T: Sendable>(
    limit: Duration, covers: PendingJob<T>.Phases, submitting body: @escaping @Sendable () throws -> T,
    onExpiry: @escaping @Sendable () -> MongoError
  ) async throws -> T {
    let job = PendingJob<T>(expires: covers)
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        guard job.wait(continuation) else {
          inFlight.subtract(1, ordering: .relaxed)
          return
        }
        job.setTimer(
          Task {
            try await Task.sleep(for: limit)
            job.expire(onExpiry())
          })
        Task {
          let result: Result<T, any Error>
          do {
            result = .success(
              try await submit {
                guard job.begin() else { throw CancellationError() }
                return try body()
              })
          } catch {
            result = .failure(error)
          }
          job.finish(result)
        }
      }
    } onCancel: {
      job.cancel()
    }
  }

  private func submit<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
    do {
      return try await pool.run { [self] in
        defer { inFlight.subtract(1, ordering: .relaxed) }
        return try body()
      }
    } catch let refusal as BlockingPoolError {
      inFlight.subtract(1, ordering: .relaxed)
      switch refusal {
      case .overloaded: throw MongoError(kind: .exhausted, message: refusal.description)
      case .shutDown: throw MongoError(kind: .closed, message: "the client is closed")
      }
    }
  }
}
