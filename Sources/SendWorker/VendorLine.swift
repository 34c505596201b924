import CRMCore
import CRMStore
import Runtime
import Synchronization

/// One vendor on one channel, with the limits before it: circuit breaker, shared rate limit, concurrency. What one channel
/// waits for, no other waits for.
final class VendorLine: Sendable {
  let vendor: any Vendor
  let channel: Channel
  private let permits: AsyncSemaphore
  private let store: Store
  private let perMinute: Int
  private let state: Mutex<State>

  private struct State {
    var breaker = Breaker()
    /// Until when sends that found no slot are spread out.
    var horizon: ContinuousClock.Instant
  }

  /// What the rate limit has for some sends.
  enum Turn: Sendable, Equatable {
    /// So many may be called together after the wait. A slot that is not used until `expires` is lost.
    case go(count: Int, wait: Duration, expires: ContinuousClock.Instant?)
    /// No slot soon: each send waits in the store for so long, none in the consumer.
    case later([Duration])
  }

  /// A slot that lies further ahead is not waited for.
  private static let patience = Duration.seconds(2)
  /// How late a slot may be used. Slots reserved before an outage are older than this after it and are reserved anew.
  private static let slotLife = Duration.seconds(1)

  init(vendor: any Vendor, channel: Channel, concurrency: Int, perMinute: Int, store: Store) {
    self.vendor = vendor
    self.channel = channel
    self.store = store
    self.perMinute = perMinute
    permits = AsyncSemaphore(concurrency)
    state = Mutex(State(horizon: .now))
  }

  /// How many of `count` calls the breaker admits now, and how long the others should wait. Each admitted call must be
  /// followed by `call` or `abandon`.
  func admit(_ count: Int) -> (admitted: Int, retryAfter: Duration) {
    state.withLock { state in
      var admitted = 0
      while admitted < count {
        if case .refuse(let wait) = state.breaker.admit() { return (admitted, wait) }
        admitted += 1
      }
      return (admitted, .zero)
    }
  }

  /// Admitted calls that will not be made.
  func abandon(_ count: Int) {
    guard count > 0 else { return }
    state.withLock { state in
      for _ in 0..<count { state.breaker.abandon() }
    }
  }

  /// How many calls may start together under the rate limit, and when. Without a limit: all, now. With one: at most a
  /// second's worth, so that the slots of a group are used before they are stale.
  func turn(_ count: Int) async throws -> Turn {
    guard perMinute > 0 else { return .go(count: count, wait: .zero, expires: nil) }
    let together = min(count, max(1, perMinute / 60))
    let slots = try await store.reserveSlots(
      "\(vendor.name)/\(channel.rawValue)", count: together, perMinute: perMinute, patience: Self.patience)
    let now = ContinuousClock.now
    if slots.isGranted {
      return .go(count: together, wait: slots.wait, expires: now + slots.wait + Self.slotLife)
    }
    return .later(spread(count, from: now + slots.wait, every: slots.interval, now: now))
  }

  /// Places sends one after the other behind those that were put off before.
  private func spread(
    _ count: Int, from earliest: ContinuousClock.Instant, every interval: Duration, now: ContinuousClock.Instant
  ) -> [Duration] {
    let start = state.withLock { state in
      let start = max(state.horizon, earliest)
      state.horizon = start + interval * count
      return start
    }
    return (0..<count).map { now.duration(to: start) + interval * $0 }
  }

  /// Makes one admitted call under the concurrency limit.
  ///
  /// - Parameter mayStill: asked last, right before the call; false makes none and returns nil.
  func call(_ job: SendJob, mayStill: @Sendable () async -> Bool) async -> VendorOutcome? {
    await permits.acquire()
    defer { permits.release() }
    guard await mayStill() else {
      abandon(1)
      return nil
    }
    let outcome = await vendor.send(job)
    failpoint(.sendAnswered)
    state.withLock { $0.breaker.record(success: !outcome.isFailure) }
    return outcome
  }
}
