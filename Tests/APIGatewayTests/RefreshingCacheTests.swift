import Synchronization
import Testing

@testable import APIGateway

@Suite struct RefreshingCacheTests {
  private final class Loads: Sendable {
    let count = Atomic(0)
  }

  private struct Away: Error {}

  @Test func ofManyWhoAskOneLoads() async throws {
    let cache = RefreshingCache<String, Int>(capacity: 10, validFor: .seconds(600))
    let loads = Loads()
    try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<200 {
        group.addTask {
          try await cache.value("a") {
            loads.count.add(1, ordering: .relaxed)
            return 7
          }
        }
      }
      for try await value in group { #expect(value == 7) }
    }
    #expect(loads.count.load(ordering: .relaxed) == 1)
  }

  @Test func whatIsOldIsLoadedAnew() async throws {
    let cache = RefreshingCache<String, Int>(capacity: 10, validFor: .zero)
    #expect(try await cache.value("a") { 1 } == 1)
    #expect(try await cache.value("a") { 2 } == 2)
  }

  @Test func whatIsForgottenIsLoadedAnew() async throws {
    let cache = RefreshingCache<String, Int>(capacity: 10, validFor: .seconds(600))
    #expect(try await cache.value("a") { 1 } == 1)
    #expect(try await cache.value("a") { 2 } == 1)
    cache.forgetAll()
    #expect(try await cache.value("a") { 2 } == 2)
  }

  @Test func aFailureIsNotKept() async throws {
    let cache = RefreshingCache<String, Int>(capacity: 10, validFor: .seconds(600))
    await #expect(throws: Away.self) { _ = try await cache.value("a") { throw Away() } }
    #expect(try await cache.value("a") { 3 } == 3)
  }
}
