import CRMStore
import CivilTime
import Runtime
import Testing

@Suite struct IdempotencyTests {
  private static let response = StoredResponse(
    status: 201, headers: [("Content-Type", "application/json"), ("Location", "/x")], body: Array("{}".utf8))

  private static func reserve(
    _ store: Store, _ key: String = "key", body: UInt8 = 1
  ) async throws -> IdempotencyDecision {
    try await store.reserveIdempotencyKey(key, fingerprint: [body], lease: .seconds(60), timeToLive: .seconds(3600))
  }

  private static func reservation(_ decision: IdempotencyDecision) throws -> IdempotencyReservation {
    guard case .execute(let reservation) = decision else { throw Missing(description: "reservation: \(decision)") }
    return reservation
  }

  @Test func aCompletedRequestIsReplayed() async throws {
    let store = try await TestServers.shared.store()
    let reservation = try Self.reservation(try await Self.reserve(store))
    #expect(!reservation.isRetry)
    try await store.complete(reservation, with: Self.response)
    #expect(try await Self.reserve(store) == .replay(Self.response))
  }

  @Test func theSameKeyWithAnotherBodyIsRefused() async throws {
    let store = try await TestServers.shared.store()
    let reservation = try Self.reservation(try await Self.reserve(store, body: 1))
    #expect(try await Self.reserve(store, body: 2) == .mismatch)
    try await store.complete(reservation, with: Self.response)
    #expect(try await Self.reserve(store, body: 2) == .mismatch)
  }

  @Test func ofManyAtOnceOneCarriesTheRequestOut() async throws {
    let store = try await TestServers.shared.store()
    let executed = try await withThrowingTaskGroup(of: Bool.self) { group in
      for _ in 0..<16 {
        group.addTask {
          if case .execute = try await Self.reserve(store) { true } else { false }
        }
      }
      return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
    }
    #expect(executed == 1)
  }

  @Test func aRequestWithoutEffectFreesItsKey() async throws {
    let store = try await TestServers.shared.store()
    let reservation = try Self.reservation(try await Self.reserve(store, body: 1))
    try await store.release(reservation)
    let next = try Self.reservation(try await Self.reserve(store, body: 2))
    #expect(!next.isRetry)
  }

  @Test func aFailedRequestIsContinuedUnderTheSameEffectID() async throws {
    let store = try await TestServers.shared.store()
    let first = try Self.reservation(try await Self.reserve(store))
    #expect(try await Self.reserve(store) == .inProgress)
    try await store.suspend(first)
    let second = try Self.reservation(try await Self.reserve(store))
    #expect(second.isRetry)
    #expect(second.effectID == first.effectID)
  }

  @Test func afterACrashTheLeaseRunsOutAndTheLateAnswerOfTheFirstAttemptIsNotKept() async throws {
    let clock = TestClock(Timestamp(milliseconds: 1_774_953_000_000))
    let store = try await TestServers.shared.store(clock: clock)
    let first = try Self.reservation(try await Self.reserve(store))
    clock.advance(by: .seconds(61))
    let second = try Self.reservation(try await Self.reserve(store))
    #expect(second.effectID == first.effectID)
    try await store.complete(first, with: StoredResponse(status: 200, headers: [], body: []))
    #expect(try await Self.reserve(store) == .inProgress)
    try await store.complete(second, with: Self.response)
    #expect(try await Self.reserve(store) == .replay(Self.response))
  }

  @Test func anExpiredKeyMayBeUsedForSomethingElse() async throws {
    let clock = TestClock(Timestamp(milliseconds: 1_774_953_000_000))
    let store = try await TestServers.shared.store(clock: clock)
    let first = try Self.reservation(try await Self.reserve(store, body: 1))
    try await store.complete(first, with: Self.response)
    clock.advance(by: .seconds(3601))
    let next = try Self.reservation(try await Self.reserve(store, body: 2))
    #expect(next.effectID != first.effectID)
  }
}
