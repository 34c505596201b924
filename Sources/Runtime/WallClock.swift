import CivilTime
import Foundation
import Synchronization

/// Where a process reads the time of day, so that tests can set it. Deadlines use `ContinuousClock` instead.
public protocol WallClock: Sendable {
  func now() -> Timestamp
}

/// The machine's clock.
public struct SystemClock: WallClock {
  public init() {}

  public func now() -> Timestamp {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    let milliseconds = Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    #if FAILPOINTS
      return Timestamp(milliseconds: milliseconds + FailpointArming.clockSkewMS)
    #else
      return Timestamp(milliseconds: milliseconds)
    #endif
  }
}

/// A clock that stands still until it is moved.
public final class TestClock: WallClock {
  private let current: Mutex<Timestamp>

  public init(_ start: Timestamp) { current = Mutex(start) }

  public func now() -> Timestamp { current.withLock { $0 } }

  public func set(_ instant: Timestamp) { current.withLock { $0 = instant } }

  public func advance(by duration: Duration) { current.withLock { $0 = $0.advanced(by: duration) } }
}
