import CRMCore
import CRMStore
import Runtime
import ServiceHost
import Synchronization

/// The limits before a vendor: circuit breaker and shared rate limit per channel, and concurrency.
final class VendorGate: Sendable {
  let vendor: any Vendor
  private let breakers: Mutex<[Channel: Breaker]>
  private let permits: AsyncSemaphore
  private let store: Store
  private let perMinute: Int

  init(vendor: any Vendor, concurrency: Int, store: Store, settings: Settings) {
    self.vendor = vendor
    self.store = store
    perMinute = settings[CRMSettings.rateLimit]
    permits = AsyncSemaphore(concurrency)
    breakers = Mutex(Dictionary(uniqueKeysWithValues: Channel.allCases.map { ($0, Breaker()) }))
  }

  /// How many of `count` calls the breaker admits now, and how long the others should wait. Each admitted call must be
  /// followed by `call` or `abandon`.
  func admit(_ count: Int, channel: Channel) -> (admitted: Int, retryAfter: Duration) {
    breakers.withLock { breakers in
      var breaker = breakers[channel] ?? Breaker()
      defer { breakers[channel] = breaker }
      var admitted = 0
      while admitted < count {
        if case .refuse(let wait) = breaker.admit() { return (admitted, wait) }
        admitted += 1
      }
      return (admitted, .zero)
    }
  }

  /// Admitted calls that will not be made.
  func abandon(_ count: Int, channel: Channel) {
    breakers.withLock { breakers in
      for _ in 0..<count { breakers[channel]?.abandon() }
    }
  }

  /// How many calls may start together under the rate limit, and when. Without a limit: all, now.
  func reserve(_ count: Int, channel: Channel) async throws -> (count: Int, wait: Duration) {
    guard perMinute > 0 else { return (count, .zero) }
    let together = min(count, max(1, perMinute / 60))
    let slots = try await store.reserveSlots(
      "\(vendor.name)/\(channel.rawValue)", count: together, perMinute: perMinute)
    return (together, slots.wait)
  }

  /// Makes one admitted call under the concurrency limit.
  ///
  /// - Parameter mayStill: asked last, right before the call; false makes none and returns nil.
  func call(_ job: SendJob, mayStill: @Sendable () -> Bool) async -> VendorOutcome? {
    await permits.acquire()
    defer { permits.release() }
    guard mayStill() else {
      abandon(1, channel: job.channel)
      return nil
    }
    let outcome = await vendor.send(job)
    failpoint(.sendAnswered)
    breakers.withLock { $0[job.channel]?.record(success: !outcome.isFailure) }
    return outcome
  }
}

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
