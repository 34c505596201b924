import Testing

@testable import Runtime

@Suite struct BreakerTests {
  let start = ContinuousClock.now

  func breaker() -> Breaker {
    Breaker(
      .init(window: .seconds(30), minimumCalls: 5, failureRatio: 0.5, openFor: .seconds(5), probes: 2), now: start)
  }

  @Test func staysClosedBelowTheMinimumOfCalls() {
    var breaker = breaker()
    for _ in 0..<4 { breaker.record(success: false, now: start) }
    #expect(breaker.admit(now: start) == .call)
    #expect(breaker.state == .closed)
  }

  @Test func opensAtHalfFailures() {
    var breaker = breaker()
    for index in 0..<6 { breaker.record(success: index < 3, now: start) }
    #expect(breaker.state == .open(since: start))
    #expect(breaker.admit(now: start + .seconds(2)) == .refuse(retryAfter: .seconds(3)))
  }

  @Test func forgetsOutcomesOlderThanTheWindow() {
    var breaker = breaker()
    for _ in 0..<4 { breaker.record(success: false, now: start) }
    breaker.record(success: false, now: start + .seconds(31))
    #expect(breaker.state == .closed)
    #expect(breaker.totals(now: start + .seconds(31)).calls == 1)
  }

  @Test func letsOnlyProbesPassAndClosesWhenAllSucceed() {
    var breaker = breaker()
    for _ in 0..<5 { breaker.record(success: false, now: start) }
    let later = start + .seconds(5)
    #expect(breaker.admit(now: later) == .call)
    #expect(breaker.admit(now: later) == .call)
    #expect(breaker.admit(now: later) != .call)
    breaker.record(success: true, now: later)
    #expect(breaker.admit(now: later) != .call)
    breaker.record(success: true, now: later)
    #expect(breaker.state == .closed)
  }

  @Test func oneFailedProbeOpensItAgain() {
    var breaker = breaker()
    for _ in 0..<5 { breaker.record(success: false, now: start) }
    let later = start + .seconds(6)
    #expect(breaker.admit(now: later) == .call)
    breaker.record(success: false, now: later)
    #expect(breaker.state == .open(since: later))
  }

  @Test func anAbandonedProbeFreesItsPlace() {
    var breaker = breaker()
    for _ in 0..<5 { breaker.record(success: false, now: start) }
    let later = start + .seconds(6)
    #expect(breaker.admit(now: later) == .call)
    #expect(breaker.admit(now: later) == .call)
    breaker.abandon()
    #expect(breaker.admit(now: later) == .call)
  }
}
