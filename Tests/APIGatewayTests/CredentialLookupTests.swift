import Runtime
import ServiceHost
import Synchronization
import Testing

@testable import APIGateway

/// A silent database keeps nobody waiting whose credential is looked up, and nobody at all once it answers again.
@Suite struct CredentialLookupTests {
  /// A read that the database answers when the test says so, whoever has given it up meanwhile.
  private final class SilentRead: Sendable {
    let isBegun = Latch<Bool>()
    let isOver = Latch<Bool>()
    let answer = Latch<Int>()
    private let begun = Atomic(0)

    var count: Int { begun.load(ordering: .relaxed) }

    func value() async -> Int {
      begun.add(1, ordering: .relaxed)
      isBegun.set(true)
      // A job that runs does not notice that its caller is cancelled.
      let value = await Task { [answer] in await answer.wait() ?? 0 }.value
      isOver.set(true)
      return value
    }
  }

  private let cache = RefreshingCache<String, Int>(capacity: 10, validFor: .seconds(600))
  private let health = HealthBoard()
  private let patient: CredentialLookup
  private let impatient: CredentialLookup

  init() {
    health.report(.database, problem: nil)
    patient = CredentialLookup(health: health, patience: .seconds(600))
    impatient = CredentialLookup(health: health, patience: .milliseconds(20))
  }

  /// The kind of the problem that one who asks is told; nil when he gets a value.
  private func refusal(_ lookup: CredentialLookup, _ read: SilentRead) async -> Problem.Kind? {
    do {
      _ = try await cache.value("a") { try await lookup.read { await read.value() } }
      return nil
    } catch {
      return (error as? Problem)?.kind
    }
  }

  @Test func everybodyWhoWaitsForASilentDatabaseGivesUp() async {
    let read = SilentRead()
    let waiting = (0..<20).map { _ in Task { await refusal(impatient, read) } }
    for task in waiting { #expect(await task.value == .overloaded) }
    #expect(read.isOver.value == nil)
  }

  @Test func theNextWhoAsksBeginsAnotherReadWhoseAnswerStays() async throws {
    let (old, new) = (SilentRead(), SilentRead())
    #expect(await refusal(impatient, old) == .overloaded)
    let next = Task { try await cache.value("a") { try await patient.read { await new.value() } } }
    _ = await new.isBegun.wait()
    old.answer.set(1)
    _ = await old.isOver.wait()
    new.answer.set(2)
    #expect(try await next.value == 2)
    #expect(try await cache.value("a") { try await patient.read { 3 } } == 2)
  }

  @Test func aLateAnswerIsNotKept() async throws {
    let old = SilentRead()
    #expect(await refusal(impatient, old) == .overloaded)
    #expect(try await cache.value("a") { try await patient.read { 2 } } == 2)
    old.answer.set(1)
    _ = await old.isOver.wait()
    // Time for the answer to get where it must not.
    try await Task.sleep(for: .milliseconds(50))
    #expect(try await cache.value("a") { try await patient.read { 3 } } == 2)
  }

  @Test func everybodyWhoWaitsGivesUpWhenTheDatabaseIsLost() async throws {
    let read = SilentRead()
    let waiting = (0..<20).map { _ in Task { await refusal(patient, read) } }
    _ = await read.isBegun.wait()
    health.report(.database, problem: "it is silent")
    for task in waiting { #expect(await task.value == .dependencyUnavailable) }
    #expect(await refusal(patient, read) == .dependencyUnavailable)
    #expect(read.count == 1, "a database that is away is not asked")
    health.report(.database, problem: nil)
    #expect(try await cache.value("a") { try await patient.read { 2 } } == 2)
  }

  @Test func whatTheReadThrowsIsPassedOn() async {
    struct Broken: Error {}
    await #expect(throws: Broken.self) {
      _ = try await patient.read { () async throws -> Int in throw Broken() }
    }
  }
}
