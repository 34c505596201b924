import Dispatch
import Synchronization
import Testing

@testable import Runtime

@Suite struct BlockingPoolTests {
  /// Counts how many are inside at once, and the most there ever were.
  final class Concurrency: Sendable {
    private let state = Mutex((now: 0, most: 0))

    func enter() {
      state.withLock { state in
        state.now += 1
        state.most = max(state.most, state.now)
      }
    }

    func leave() { state.withLock { $0.now -= 1 } }

    var most: Int { state.withLock { $0.most } }
  }

  @Test func runsJobsOnAsManyThreadsAsItHasAndNoMore() async throws {
    let pool = BlockingPool(name: "test", threads: 3)
    let running = Concurrency()
    try await withThrowingTaskGroup(of: Int.self) { group in
      for index in 0..<60 {
        group.addTask {
          try await pool.run {
            running.enter()
            _ = DispatchSemaphore(value: 0).wait(timeout: .now() + .milliseconds(2))
            running.leave()
            return index
          }
        }
      }
      var sum = 0
      for try await value in group { sum += value }
      #expect(sum == 59 * 60 / 2)
    }
    #expect(running.most == 3)
    await pool.shutdown()
  }

  @Test func passesErrorsOn() async {
    struct Failure: Error {}
    let pool = BlockingPool(name: "test", threads: 1)
    await #expect(throws: Failure.self) { try await pool.run { throw Failure() } }
    await pool.shutdown()
  }

  @Test func refusesWhenTheQueueIsFullAndAfterShutdown() async throws {
    let pool = BlockingPool(name: "test", threads: 1, queueLimit: 1)
    let gate = DispatchSemaphore(value: 0)
    let entered = Latch<Void>()
    async let blocked: Void = pool.run {
      entered.set(())
      gate.wait()
    }
    _ = await entered.wait()
    async let queued: Void = pool.run {}
    while pool.waiting == 0 { await Task.yield() }
    await #expect(throws: BlockingPoolError.overloaded(pool: "test", waiting: 1)) { try await pool.run {} }
    gate.signal()
    _ = try await (blocked, queued)
    await pool.shutdown()
    await #expect(throws: BlockingPoolError.shutDown(pool: "test")) { try await pool.run {} }
  }
}
