import HTTP
import Runtime

/// How many requests somebody may make: `perMinute` at once, refilled evenly over a minute.
struct TokenBucket: Sendable {
  private var tokens: Double
  private var at: ContinuousClock.Instant

  init(perMinute: Int, now: ContinuousClock.Instant) {
    tokens = Double(perMinute)
    at = now
  }

  mutating func take(perMinute: Int, now: ContinuousClock.Instant) -> RateDecision {
    let limit = Double(perMinute)
    let perSecond = limit / 60
    if now > at {
      tokens = min(limit, tokens + at.duration(to: now).inSeconds * perSecond)
      at = now
    }
    // Sums of fractions may miss 1 by a hair, and who waited as long as told must not be refused for it.
    let isAllowed = tokens > 1 - 1e-6
    if isAllowed { tokens = max(0, tokens - 1) }
    return RateDecision(
      limit: perMinute, remaining: Int(tokens), reset: Int(((limit - tokens) / perSecond).rounded(.up)),
      retryAfter: isAllowed ? nil : max(1, Int(((1 - tokens) / perSecond).rounded(.up))))
  }
}

/// What a bucket says to a request.
struct RateDecision: Sendable, Equatable {
  /// Requests a minute.
  var limit: Int
  /// Requests that could be made now.
  var remaining: Int
  /// Seconds until all of them could.
  var reset: Int
  /// Seconds until the next one can; nil: this one may.
  var retryAfter: Int?

  /// `RateLimit-*` as in draft-ietf-httpapi-ratelimit-headers-06. A limit that is told already stays.
  func tell(_ headers: inout HTTPHeaders) {
    guard !headers.contains("RateLimit-Limit") else { return }
    headers.add("RateLimit-Policy", "\(limit);w=60")
    headers.add("RateLimit-Limit", String(limit))
    headers.add("RateLimit-Remaining", String(remaining))
    headers.add("RateLimit-Reset", String(reset))
  }
}
