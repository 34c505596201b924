import Runtime

extension Latch {
  /// True when the latch was set within `limit`. A cancelled task waits too: whoever closes a client at the end of a
  /// process is often cancelled already, and still has to see it closed.
  func wasSet(within limit: Duration) async -> Bool {
    await Task {
      (try? await withDeadline(limit, "closing") { await self.wait() }) != nil
    }.value
  }
}
