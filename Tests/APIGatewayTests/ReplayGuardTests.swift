import Testing

@testable import APIGateway

@Suite struct ReplayGuardTests {
  private func fingerprint(_ number: Int) -> SIMD2<UInt64> {
    ReplayGuard.fingerprint(id: "msg_\(number)", timestamp: "1", body: [1])
  }

  @Test func whatIsSignedIsWhatIsKnown() {
    let guardian = ReplayGuard(lifetime: .seconds(600))
    #expect(!guardian.contains(fingerprint(1)))
    guardian.insert(fingerprint(1))
    #expect(guardian.contains(fingerprint(1)))
    for other in [
      ReplayGuard.fingerprint(id: "msg_2", timestamp: "1", body: [1]),
      ReplayGuard.fingerprint(id: "msg_1", timestamp: "2", body: [1]),
      ReplayGuard.fingerprint(id: "msg_1", timestamp: "1", body: [2]),
    ] {
      #expect(!guardian.contains(other))
    }
  }

  @Test func anEntryIsKeptForItsLifetimeAndThenForgotten() {
    let guardian = ReplayGuard(lifetime: .seconds(600))
    let start = ContinuousClock.now
    guardian.insert(fingerprint(1), now: start + .seconds(599))
    guardian.insert(fingerprint(2), now: start + .seconds(1190))
    #expect(guardian.contains(fingerprint(1)), "it is 591 seconds old")
    guardian.insert(fingerprint(3), now: start + .seconds(1800))
    #expect(!guardian.contains(fingerprint(1)))
    #expect(guardian.contains(fingerprint(2)))
  }

  @Test func memoryIsBounded() {
    let guardian = ReplayGuard(capacity: 100, lifetime: .seconds(600))
    for number in 0..<10_000 { guardian.insert(fingerprint(number)) }
    #expect(guardian.count <= 200)
    #expect(guardian.contains(fingerprint(9_999)))
  }
}
