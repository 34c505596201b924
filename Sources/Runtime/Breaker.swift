/// A circuit breaker as a pure state machine: the caller brings the time, and asks before each call.
///
/// Closed: calls pass, their outcomes are counted over a sliding window. Open: calls are refused until a pause has
/// passed. Half-open: a few probes pass; all of them must succeed to close it, one failure opens it again.
public struct Breaker: Sendable {
  public struct Configuration: Sendable, Equatable {
    /// Outcomes older than this do not count.
    public var window: Duration
    /// Fewer outcomes than this within the window never open the breaker.
    public var minimumCalls: Int
    /// Share of failures, 0–1, from which on it opens.
    public var failureRatio: Double
    /// How long it stays open before it lets probes pass.
    public var openFor: Duration
    /// How many probes may be under way, and must succeed, before it closes.
    public var probes: Int

    public init(
      window: Duration = .seconds(30), minimumCalls: Int = 5, failureRatio: Double = 0.5,
      openFor: Duration = .seconds(5), probes: Int = 3
    ) {
      self.window = window
      self.minimumCalls = minimumCalls
      self.failureRatio = failureRatio
      self.openFor = openFor
      self.probes = probes
    }
  }

  public enum State: Sendable, Equatable {
    case closed
    case open(since: ContinuousClock.Instant)
    case halfOpen(probing: Int, succeeded: Int)
  }

  /// What `admit` decided.
  public enum Admission: Sendable, Equatable {
    case call
    /// Not now; ask again after this time.
    case refuse(retryAfter: Duration)
  }

  private static let slots = 10

  private struct Slot: Sendable {
    var index: Int64 = -1
    var calls = 0
    var failures = 0
  }

  public let configuration: Configuration
  public private(set) var state = State.closed
  private var history = [Slot](repeating: Slot(), count: Breaker.slots)
  private let origin: ContinuousClock.Instant

  public init(_ configuration: Configuration = .init(), now: ContinuousClock.Instant = .now) {
    self.configuration = configuration
    origin = now
  }

  /// Asks for one call. Each admitted call must be followed by `record` or `abandon`.
  public mutating func admit(now: ContinuousClock.Instant = .now) -> Admission {
    switch state {
    case .closed:
      return .call
    case .open(let since):
      let waited = since.duration(to: now)
      guard waited >= configuration.openFor else { return .refuse(retryAfter: configuration.openFor - waited) }
      state = .halfOpen(probing: 1, succeeded: 0)
      return .call
    case .halfOpen(let probing, let succeeded):
      guard probing + succeeded < configuration.probes else { return .refuse(retryAfter: .milliseconds(100)) }
      state = .halfOpen(probing: probing + 1, succeeded: succeeded)
      return .call
    }
  }

  /// The outcome of an admitted call.
  public mutating func record(success: Bool, now: ContinuousClock.Instant = .now) {
    switch state {
    case .closed:
      count(success: success, now: now)
      let (calls, failures) = totals(now: now)
      if !success, calls >= configuration.minimumCalls,
        Double(failures) >= configuration.failureRatio * Double(calls)
      {
        open(now: now)
      }
    case .halfOpen(let probing, let succeeded):
      guard success else { return open(now: now) }
      if succeeded + 1 >= configuration.probes {
        state = .closed
      } else {
        state = .halfOpen(probing: max(0, probing - 1), succeeded: succeeded + 1)
      }
    case .open:
      break  // a call admitted before it opened says nothing new
    }
  }

  /// An admitted call that was never made.
  public mutating func abandon() {
    if case .halfOpen(let probing, let succeeded) = state {
      state = .halfOpen(probing: max(0, probing - 1), succeeded: succeeded)
    }
  }

  /// Calls and failures within the window.
  public func totals(now: ContinuousClock.Instant = .now) -> (calls: Int, failures: Int) {
    let current = slotIndex(now)
    var calls = 0
    var failures = 0
    for slot in history where slot.index > current - Int64(Breaker.slots) {
      calls += slot.calls
      failures += slot.failures
    }
    return (calls, failures)
  }

  private mutating func open(now: ContinuousClock.Instant) {
    state = .open(since: now)
    history = [Slot](repeating: Slot(), count: Breaker.slots)
  }

  private mutating func count(success: Bool, now: ContinuousClock.Instant) {
    let index = slotIndex(now)
    let position = Int(index % Int64(Breaker.slots))
    if history[position].index != index { history[position] = Slot(index: index) }
    history[position].calls += 1
    if !success { history[position].failures += 1 }
  }

  private func slotIndex(_ now: ContinuousClock.Instant) -> Int64 {
    let elapsed = origin.duration(to: now) / (configuration.window / Breaker.slots)
    return Int64(max(0, elapsed))
  }
}
