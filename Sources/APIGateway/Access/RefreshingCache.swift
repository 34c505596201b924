import Synchronization

/// Values that are loaded when asked for and believed for a while. Of many who ask for one at once, one loads it.
///
/// The time counts from the start of the load, so that a value is never older than that when it is used. What could not
/// be loaded is not kept.
///
/// Whoever asks joins the load that is under way, so a load must end by itself: one that could hang must give up, and
/// the next who asks begins another.
final class RefreshingCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  private struct Entry: Sendable {
    let task: Task<Value, any Error>
    let loadedAt: ContinuousClock.Instant
    var isLoaded = false
  }

  private let validFor: Duration
  private let entries: Mutex<TwoGenerations<Key, Entry>>

  /// - Parameters:
  ///   - capacity: entries that are kept for certain; at most twice as many are.
  ///   - validFor: zero loads for everybody who asks.
  init(capacity: Int, validFor: Duration) {
    entries = Mutex(TwoGenerations(capacity: capacity))
    self.validFor = validFor
  }

  func value(_ key: Key, _ load: @escaping @Sendable () async throws -> Value) async throws -> Value {
    let now = ContinuousClock.now
    let (task, isOurs) = entries.withLock { entries in
      if let known = entries.value(key), !known.isLoaded || now < known.loadedAt + validFor {
        return (known.task, false)
      }
      // Not a child of this request: others may wait for it, too.
      let task = Task { try await load() }
      entries.set(key, Entry(task: task, loadedAt: now))
      return (task, true)
    }
    do {
      let value = try await task.value
      if isOurs { finish(key, task, keep: true) }
      return value
    } catch {
      if isOurs { finish(key, task, keep: false) }
      throw error
    }
  }

  /// What is loading now may be of before: whoever waits for it gets it, nobody later does.
  func forgetAll() { entries.withLock { $0.removeAll() } }

  private func finish(_ key: Key, _ task: Task<Value, any Error>, keep: Bool) {
    entries.withLock { entries in
      // It may have been forgotten meanwhile, and somebody else be loading it.
      guard var entry = entries.value(key), entry.task == task else { return }
      if keep {
        entry.isLoaded = true
        entries.set(key, entry)
      } else {
        entries.remove(key)
      }
    }
  }
}
