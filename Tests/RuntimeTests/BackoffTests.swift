import Testing

@testable import Runtime

@Suite struct BackoffTests {
  let backoff = Backoff(base: .milliseconds(100), cap: .seconds(5))

  @Test func limitsDoubleUpToTheCap() {
    #expect(backoff.limit(attempt: 0) == .milliseconds(100))
    #expect(backoff.limit(attempt: 3) == .milliseconds(800))
    #expect(backoff.limit(attempt: 10) == .seconds(5))
    #expect(backoff.limit(attempt: 1_000_000) == .seconds(5))
    #expect(backoff.limit(attempt: -1) == .milliseconds(100))
  }

  @Test func delaysFillTheWholeInterval() {
    var shortest = Duration.seconds(10)
    var longest = Duration.zero
    for _ in 0..<2000 {
      let delay = backoff.delay(attempt: 3)
      #expect(delay >= .zero && delay <= .milliseconds(800))
      shortest = min(shortest, delay)
      longest = max(longest, delay)
    }
    #expect(shortest < .milliseconds(40))
    #expect(longest > .milliseconds(760))
  }
}
