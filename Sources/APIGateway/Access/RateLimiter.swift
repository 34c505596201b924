import Synchronization

/// Buckets by key, in the memory of this process: each replica counts for itself.
///
/// The table is bounded. A bucket that falls out starts full again, which costs whoever wants that more than 30,000
/// other keys.
final class RateLimiter: Sendable {
  static let capacity = 32_768

  private let perMinute: Int
  private let buckets: Mutex<TwoGenerations<String, TokenBucket>>

  /// Nil without a limit.
  ///
  /// - Parameter perMinute: 0: no limit.
  init?(perMinute: Int, capacity: Int = RateLimiter.capacity) {
    guard perMinute > 0 else { return nil }
    self.perMinute = perMinute
    buckets = Mutex(TwoGenerations(capacity: capacity))
  }

  func take(_ key: String, now: ContinuousClock.Instant = .now) -> RateDecision {
    buckets.withLock { buckets in
      var bucket = buckets.value(key) ?? TokenBucket(perMinute: perMinute, now: now)
      let decision = bucket.take(perMinute: perMinute, now: now)
      buckets.set(key, bucket)
      return decision
    }
  }

  var count: Int { buckets.withLock { $0.count } }
}
