import Runtime

/// Calls that are kept waiting on purpose; all of them are let go when the simulator stops.
struct HeldCalls: Service {
  let name = "held-calls"
  private let release = Latch<Void>()

  func start() async throws {}

  func stop(grace: Duration) async { release.set(()) }

  /// Returns after a time, or as soon as the simulator stops.
  ///
  /// - Throws: `CancellationError` when the caller has gone away.
  func hold(for time: Duration) async throws {
    do {
      _ = try await withDeadline(time, "a held call") { [release] in await release.wait() }
    } catch is DeadlineExceeded {}
    try Task.checkCancellation()
  }
}
