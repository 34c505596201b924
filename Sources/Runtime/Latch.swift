import Synchronization

/// A value that is set once and that any number of tasks may wait for.
public final class Latch<Value: Sendable>: Sendable {
  private struct State {
    var value: Value?
    var waiters: [Int: CheckedContinuation<Value?, Never>] = [:]
    var nextID = 0
  }

  private let state = Mutex(State())

  public init() {}

  public var value: Value? { state.withLock { $0.value } }

  /// Sets the value and wakes everyone; a second value is ignored.
  public func set(_ value: Value) {
    let waiters: [CheckedContinuation<Value?, Never>] = state.withLock { state in
      guard state.value == nil else { return [] }
      state.value = value
      defer { state.waiters = [:] }
      return Array(state.waiters.values)
    }
    for waiter in waiters { waiter.resume(returning: value) }
  }

  /// Sets the value after a time, unless it has been set by then.
  ///
  /// - Returns: a task to cancel when nobody waits for the value any more.
  public func set(_ value: Value, after time: Duration) -> Task<Void, Never> {
    Task {
      do {
        try await Task.sleep(for: time)
        set(value)
      } catch {
        // Called off: a sleep fails in no other way.
      }
    }
  }

  /// The value, once set; nil when the waiting task is cancelled first.
  public func wait() async -> Value? {
    let id = state.withLock { state in
      state.nextID += 1
      return state.nextID
    }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let (known, cancelled): (Value?, Bool) = state.withLock { state in
          if let value = state.value { return (value, false) }
          if Task.isCancelled { return (nil, true) }
          state.waiters[id] = continuation
          return (nil, false)
        }
        if known != nil || cancelled { continuation.resume(returning: known) }
      }
    } onCancel: {
      state.withLock { $0.waiters.removeValue(forKey: id) }?.resume(returning: nil)
    }
  }
}
