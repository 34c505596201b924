import Foundation
import Synchronization

/// Why a `BlockingPool` did not run a job. The job has not started: trying again later is safe.
public enum BlockingPoolError: Error, Equatable, CustomStringConvertible {
  /// As many jobs wait as the pool's limit allows: shed load.
  case overloaded(pool: String, waiting: Int)
  /// The pool has been shut down.
  case shutDown(pool: String)

  public var description: String {
    switch self {
    case .overloaded(let pool, let waiting): "pool \(pool) is overloaded: \(waiting) jobs wait"
    case .shutDown(let pool): "pool \(pool) is shut down"
    }
  }
}

/// A fixed number of threads for calls that block, so that they never occupy Swift's cooperative pool.
///
/// Jobs start in the order in which they were submitted. The queue is bounded; a full queue refuses at once.
public final class BlockingPool: Sendable {
  private struct Job {
    let run: @Sendable () -> Void
    let refuse: @Sendable () -> Void
  }

  private struct State {
    var queue = Deque<Job>()
    var stopping = false
  }

  private let name: String
  private let queueLimit: Int
  private let state = Mutex(State())
  private let available = DispatchSemaphore(value: 0)
  private let threads: Mutex<[OwnedThread]>

  /// - Parameters:
  ///   - threads: how many jobs run at once, at least 1.
  ///   - queueLimit: how many jobs may wait for a thread.
  public init(name: String, threads: Int, queueLimit: Int = 10_000) {
    self.name = name
    self.queueLimit = queueLimit
    self.threads = Mutex([])
    let count = max(1, threads)
    self.threads.withLock { list in
      for index in 0..<count {
        list.append(OwnedThread.start(name: "\(name)-\(index)") { [self] in work() })
      }
    }
  }

  /// Runs `body` on a thread of the pool and returns its result.
  ///
  /// - Throws: what `body` throws, or `BlockingPoolError` when it could not be started.
  public func run<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
    try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<T, any Error>) in
      let job = Job(
        run: { continuation.resume(with: Result(catching: body)) },
        refuse: { [name] in continuation.resume(throwing: BlockingPoolError.shutDown(pool: name)) })
      let refusal: BlockingPoolError? = state.withLock { state in
        if state.stopping { return .shutDown(pool: name) }
        if state.queue.count >= queueLimit { return .overloaded(pool: name, waiting: state.queue.count) }
        state.queue.append(job)
        return nil
      }
      if let refusal {
        continuation.resume(throwing: refusal)
      } else {
        available.signal()
      }
    }
  }

  /// How many jobs wait for a thread now.
  public var waiting: Int { state.withLock { $0.queue.count } }

  /// Refuses new jobs, fails those that still wait, lets running ones end, and returns when every thread has ended.
  public func shutdown() async {
    let refused: [Job] = state.withLock { state in
      state.stopping = true
      return state.queue.removeAll()
    }
    for job in refused { job.refuse() }
    let running = threads.withLock { list in
      defer { list = [] }
      return list
    }
    for _ in running { available.signal() }
    for thread in running { await thread.joined() }
  }

  private func work() {
    while true {
      available.wait()
      let (job, stop) = state.withLock { ($0.queue.popFirst(), $0.stopping) }
      if let job {
        job.run()
      } else if stop {
        return
      }
    }
  }
}
