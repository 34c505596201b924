import CRMCore
import Crypto
import Synchronization
import Testing

@testable import SendWorker

/// A run whose state tests change, and that counts how often it is read.
private final class FakeRun: Sendable {
  let state = Mutex<RunState?>(.running)
  let reads = Atomic(0)

  func gate() -> RunGate {
    RunGate { _ in
      self.reads.add(1, ordering: .relaxed)
      return self.state.withLock { $0 }
    }
  }
}

@Suite struct RunGateTests {
  private let run = UUIDBytes()

  @Test func callsOfOneMomentShareOneReading() async {
    let fake = FakeRun()
    let gate = fake.gate()
    await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<50 { group.addTask { await gate.allows(run) } }
      for await allows in group { #expect(allows) }
    }
    #expect(fake.reads.load(ordering: .relaxed) < 50)
  }

  @Test func aPauseIsSeenOnceTheReadingIsTooOld() async throws {
    let fake = FakeRun()
    let gate = fake.gate()
    #expect(await gate.allows(run))
    fake.state.withLock { $0 = .paused }
    let paused = ContinuousClock.now
    while await gate.allows(run) { try await Task.sleep(for: .milliseconds(1)) }
    #expect(paused.duration(to: .now) >= .zero)
    fake.state.withLock { $0 = .running }
    while await !gate.allows(run) { try await Task.sleep(for: .milliseconds(1)) }
  }

  @Test func onlyStatesThatSendAllowACall() async {
    for state in RunState.allCases {
      let fake = FakeRun()
      fake.state.withLock { $0 = state }
      #expect(
        await fake.gate().allows(run) == [.launched, .freezing, .running, .completed].contains(state), "\(state)")
    }
  }

  @Test func aStateThatCannotBeReadAllowsNoCall() async {
    struct Away: Error {}
    #expect(await RunGate { _ in throw Away() }.allows(run) == false)
    #expect(await RunGate { _ in nil }.allows(run) == false)
  }
}
