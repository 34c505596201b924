/// The clock of a body: how many bytes came in how much time, without the time in which the server did not read; pure.
struct BodyClock {
  private(set) var started: ContinuousClock.Instant
  private(set) var received = 0
  private(set) var pausedAt: ContinuousClock.Instant?
  /// How long the handler may leave the body unread.
  let handlerDeadline: Duration

  init(started: ContinuousClock.Instant, handlerDeadline: Duration) {
    self.started = started
    self.handlerDeadline = handlerDeadline
  }

  mutating func receive(_ bytes: Int) { received += bytes }

  mutating func pause(at now: ContinuousClock.Instant) { pausedAt = pausedAt ?? now }

  mutating func resume(at now: ContinuousClock.Instant) {
    guard let pausedAt else { return }
    started += pausedAt.duration(to: now)
    self.pausedAt = nil
  }

  /// Whether fewer bytes have come than `rate` demands after `grace`.
  func isTooSlow(at now: ContinuousClock.Instant, grace: Duration, rate: Int) -> Bool {
    guard pausedAt == nil else { return false }
    let elapsed = started.duration(to: now) - grace
    return elapsed > .zero && Double(received) < elapsed.seconds * Double(rate)
  }
}

/// What a connection waits for, and since when; pure.
enum ExchangePhase {
  /// No byte of a request has come.
  case idle(since: ContinuousClock.Instant, fresh: Bool)
  /// A request has begun, its line is not complete.
  case requestLine(since: ContinuousClock.Instant)
  /// The request line is there, the head is not complete.
  case head(since: ContinuousClock.Instant)
  case body(BodyClock)
  case handling(since: ContinuousClock.Instant, deadline: Duration)
  /// A response of known size is on its way.
  case sending(since: ContinuousClock.Instant, bytes: Int)
  /// A streamed response is on its way; `progress` is when the client last took something.
  case streaming(progress: ContinuousClock.Instant, producerIsLate: Bool)
  /// The answer has been sent before the end of the body.
  case lingering(since: ContinuousClock.Instant)

  enum Verdict: Equatable {
    case keep
    /// Nothing more can be said on this connection.
    case close
    /// Answer 408.
    case requestTimedOut
    /// Answer 503 and cancel the handler.
    case handlerTimedOut(after: Duration)
    /// Whether the client is still there is not noticed by libmicrohttpd: look.
    case probe
  }

  func verdict(at now: ContinuousClock.Instant, _ limits: HTTPServer.Deadlines) -> Verdict {
    switch self {
    case .idle(let since, let fresh):
      since.duration(to: now) > (fresh ? limits.headers : limits.idle) ? .close : .keep
    case .requestLine(let since):
      since.duration(to: now) > limits.headers ? .close : .keep
    case .head(let since):
      since.duration(to: now) > limits.headers ? .requestTimedOut : .keep
    case .body(let clock):
      if let paused = clock.pausedAt {
        paused.duration(to: now) > clock.handlerDeadline ? .handlerTimedOut(after: clock.handlerDeadline) : .keep
      } else {
        clock.isTooSlow(at: now, grace: limits.bodyGrace, rate: limits.bodyMinimumRate) ? .requestTimedOut : .probe
      }
    case .handling(let since, let deadline):
      since.duration(to: now) > deadline ? .handlerTimedOut(after: deadline) : .keep
    case .sending(let since, let bytes):
      since.duration(to: now) > limits.bodyGrace + .seconds(Double(bytes) / Double(max(1, limits.bodyMinimumRate)))
        ? .close : .keep
    case .streaming(let progress, let producerIsLate):
      producerIsLate ? .probe : progress.duration(to: now) > limits.sendStall ? .close : .keep
    case .lingering(let since):
      since.duration(to: now) > limits.linger ? .close : .keep
    }
  }
}

extension Duration {
  var seconds: Double {
    let (seconds, attoseconds) = components
    return Double(seconds) + Double(attoseconds) * 1e-18
  }

  /// Whole milliseconds, rounded up, within what C functions take.
  var millisecondsRoundedUp: Int {
    let (seconds, attoseconds) = components
    let limit: Int64 = 1 << 31 - 1
    if seconds >= limit / 1000 { return Int(limit) }
    if seconds < 0 { return 0 }
    return Int(seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
  }
}
