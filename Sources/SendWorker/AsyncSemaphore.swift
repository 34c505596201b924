import Runtime
import Synchronization

/// Permits for a bounded number of tasks; those that wait are served in their order.
final class AsyncSemaphore: Sendable {
  private struct State {
    var free: Int
    var waiting = Deque<CheckedContinuation<Void, Never>>()
  }

  private let state: Mutex<State>

  init(_ permits: Int) { state = Mutex(State(free: permits)) }

  func acquire() async {
    await withCheckedContinuation { continuation in
      let granted = state.withLock { state in
        if state.free > 0 {
          state.free -= 1
          return true
        }
        state.waiting.append(continuation)
        return false
      }
      if granted { continuation.resume() }
    }
  }

  func release() {
    let next: CheckedContinuation<Void, Never>? = state.withLock { state in
      if let next = state.waiting.popFirst() { return next }
      state.free += 1
      return nil
    }
    next?.resume()
  }
}
