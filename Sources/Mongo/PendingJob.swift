import Synchronization

/// A job whose caller may be answered before it ends: by a timer, or by its task's cancellation while it still waits.
final class PendingJob<T: Sendable>: Sendable {
  /// Which phases of the job the timer covers.
  enum Phases { case waiting, waitingAndRunning }

  private enum State {
    /// Not yet submitted.
    case new
    case waiting(CheckedContinuation<T, any Error>)
    case running(CheckedContinuation<T, any Error>)
    /// The caller has been answered.
    case answered
  }

  private let expires: Phases
  private let state = Mutex(State.new)
  private let timer = Mutex<Task<Void, any Error>?>(nil)

  init(expires: Phases) { self.expires = expires }

  /// Takes the caller's continuation; false when the task was cancelled before, and the caller has been told.
  func wait(_ continuation: CheckedContinuation<T, any Error>) -> Bool {
    let accepted = state.withLock { state in
      guard case .new = state else { return false }
      state = .waiting(continuation)
      return true
    }
    if !accepted { continuation.resume(throwing: CancellationError()) }
    return accepted
  }

  func setTimer(_ task: Task<Void, any Error>) {
    timer.withLock { $0 = task }
    // The job may have been cancelled meanwhile.
    if case .answered = state.withLock({ $0 }) { task.cancel() }
  }

  /// A thread takes the job; false when its caller no longer waits, so that it need not run.
  func begin() -> Bool {
    let started = state.withLock { state in
      guard case .waiting(let continuation) = state else { return false }
      state = .running(continuation)
      return true
    }
    if started, expires == .waiting { timer.withLock { $0?.cancel() } }
    return started
  }

  func finish(_ result: Result<T, any Error>) {
    answer(whileRunning: true)?.resume(with: result)
  }

  func expire(_ error: MongoError) {
    answer(whileRunning: expires == .waitingAndRunning)?.resume(throwing: error)
  }

  /// Has no effect on a job that runs: what it did must be reported.
  func cancel() { answer(whileRunning: false)?.resume(throwing: CancellationError()) }

  private func answer(whileRunning: Bool) -> CheckedContinuation<T, any Error>? {
    let caller: CheckedContinuation<T, any Error>? = state.withLock { state in
      switch state {
      case .running(let continuation) where whileRunning:
        state = .answered
        return continuation
      case .waiting(let continuation):
        state = .answered
        return continuation
      case .new:
        state = .answered
        return nil
      case .running, .answered:
        return nil
      }
    }
    if caller != nil { timer.withLock { $0?.cancel() } }
    return caller
  }
}
