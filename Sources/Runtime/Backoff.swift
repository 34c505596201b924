/// Exponential backoff with full jitter: the wait before attempt *n* is uniform in `0 ... min(cap, base · 2ⁿ)`.
///
/// Full jitter spreads the retries of many clients over the whole interval, which empties a recovering server's queue
/// soonest (M. Brooker, "Exponential Backoff and Jitter", 2015).
public struct Backoff: Sendable, Equatable {
  public var base: Duration
  public var cap: Duration

  public init(base: Duration, cap: Duration) {
    self.base = base
    self.cap = cap
  }

  /// The longest wait that may follow the given attempt; attempts count from 0.
  public func limit(attempt: Int) -> Duration {
    let doublings = min(max(0, attempt), 40)
    return min(cap, base * (1 << doublings))
  }

  /// A random wait for the given attempt; attempts count from 0.
  public func delay(attempt: Int, using generator: inout some RandomNumberGenerator) -> Duration {
    let longest = limit(attempt: attempt)
    return longest * Double.random(in: 0...1, using: &generator)
  }

  public func delay(attempt: Int) -> Duration {
    var generator = SystemRandomNumberGenerator()
    return delay(attempt: attempt, using: &generator)
  }
}
