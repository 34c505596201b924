import Runtime
import Synchronization

/// Calls that are kept waiting on purpose; all of them are let go when the simulator stops.
final class HeldCalls: Service {
  private struct State {
    var hanging: [(id: UInt64, release: Latch<Void>)] = []
    var nextID: UInt64 = 0
  }

  let name = "held-calls"
  private let limit: Int
  private let stopping = Latch<Void>()
  private let state = Mutex(State())

  /// - Parameter limit: calls that may hang at once.
  init(limit: Int) { self.limit = limit }

  func start() async throws {}

  func stop(grace: Duration) async {
    stopping.set(())
    for call in state.withLock({ $0.hanging }) { call.release.set(()) }
  }

  /// Returns after a time, or as soon as the simulator stops.
  ///
  /// - Throws: `CancellationError`.
  func delay(for time: Duration) async throws { try await wait(for: stopping, atMost: time) }

  /// Keeps a call that is never to be answered. A server cannot see that the caller of a waiting call has gone away: so
  /// that calls given up long ago do not use up the process's descriptors, a new one beyond the limit ends the oldest.
  ///
  /// - Throws: `CancellationError`.
  func hang(atMost time: Duration) async throws {
    let release = Latch<Void>()
    let (id, oldest) = state.withLock { state -> (UInt64, Latch<Void>?) in
      state.nextID += 1
      state.hanging.append((state.nextID, release))
      return (state.nextID, state.hanging.count > limit ? state.hanging.removeFirst().release : nil)
    }
    oldest?.set(())
    if stopping.value != nil { release.set(()) }
    defer { state.withLock { $0.hanging.removeAll { $0.id == id } } }
    try await wait(for: release, atMost: time)
  }

  private func wait(for latch: Latch<Void>, atMost time: Duration) async throws {
    do {
      _ = try await withDeadline(time, "a held call") { await latch.wait() }
    } catch is DeadlineExceeded {}
    try Task.checkCancellation()
  }
}
