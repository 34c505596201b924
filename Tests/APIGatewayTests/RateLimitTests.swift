import HTTP
import Testing

@testable import APIGateway

@Suite struct RateLimitTests {
  private let start = ContinuousClock.now

  @Test func aMinutesRequestsMayComeAtOnceAndThenOneByOne() throws {
    let limiter = try #require(RateLimiter(perMinute: 60))
    for left in (0..<60).reversed() {
      let decision = limiter.take("a", now: start)
      #expect(decision.retryAfter == nil && decision.remaining == left && decision.limit == 60)
    }
    let refused = limiter.take("a", now: start)
    #expect(refused.retryAfter == 1 && refused.remaining == 0 && refused.reset == 60)
    #expect(limiter.take("a", now: start + .seconds(1)).retryAfter == nil)
    #expect(limiter.take("a", now: start + .seconds(1)).retryAfter == 1)
    let rested = limiter.take("a", now: start + .seconds(3600))
    #expect(rested.remaining == 59, "more than a minute's requests are not saved up")
  }

  @Test func whoWaitsAsLongAsToldMayAskAgain() throws {
    let limiter = try #require(RateLimiter(perMinute: 7))
    var now = start
    var allowed = 0
    for _ in 0..<100 {
      let decision = limiter.take("a", now: now)
      guard let wait = decision.retryAfter else {
        allowed += 1
        continue
      }
      now += .seconds(wait)
      #expect(limiter.take("a", now: now).retryAfter == nil)
    }
    #expect(allowed == 7, "those at once; all others had to wait")
  }

  @Test func aClockThatStandsStillRefillsNothing() throws {
    let limiter = try #require(RateLimiter(perMinute: 2))
    _ = limiter.take("a", now: start)
    _ = limiter.take("a", now: start)
    #expect(limiter.take("a", now: start - .seconds(60)).retryAfter != nil)
  }

  @Test func oneDoesNotPayForAnother() throws {
    let limiter = try #require(RateLimiter(perMinute: 1))
    #expect(limiter.take("a", now: start).retryAfter == nil)
    #expect(limiter.take("a", now: start).retryAfter != nil)
    #expect(limiter.take("b", now: start).retryAfter == nil)
  }

  @Test func zeroIsNoLimit() { #expect(RateLimiter(perMinute: 0) == nil) }

  @Test func theTableIsBoundedHoweverManyKeysAreInvented() throws {
    let limiter = try #require(RateLimiter(perMinute: 1, capacity: 100))
    for index in 0..<10_000 { _ = limiter.take("key \(index)", now: start) }
    #expect(limiter.count <= 200)
    #expect(limiter.take("key 9999", now: start).retryAfter != nil, "the latest are remembered")
  }

  @Test func whoKeepsAskingIsNotForgotten() throws {
    let limiter = try #require(RateLimiter(perMinute: 1, capacity: 100))
    _ = limiter.take("busy", now: start)
    for index in 0..<10_000 {
      _ = limiter.take("key \(index)", now: start)
      if index % 50 == 0 { #expect(limiter.take("busy", now: start).retryAfter != nil) }
    }
  }

  @Test func headersAreToldOnce() {
    var headers = HTTPHeaders()
    RateDecision(limit: 60, remaining: 3, reset: 57).tell(&headers)
    RateDecision(limit: 1000, remaining: 999, reset: 1).tell(&headers)
    #expect(headers.values("RateLimit-Limit") == ["60"])
    #expect(headers.values("RateLimit-Policy") == ["60;w=60"])
    #expect(headers.values("RateLimit-Remaining") == ["3"])
    #expect(headers.values("RateLimit-Reset") == ["57"])
  }
}
