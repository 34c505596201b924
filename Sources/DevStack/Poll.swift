/// Waits for conditions of the outside world.
enum Poll {
  /// Asks until `probe` has an answer.
  ///
  /// - Throws: `StackError` saying `what` did not happen, once `limit` is over; what `probe` throws; `CancellationError`.
  @discardableResult
  static func until<T: Sendable>(
    _ what: String, within limit: Duration, every interval: Duration = .milliseconds(100),
    _ probe: () async throws -> T?
  ) async throws -> T {
    let deadline = ContinuousClock.now + limit
    while true {
      if let answer = try await probe() { return answer }
      guard ContinuousClock.now < deadline else { throw StackError("\(what): no sign of it after \(limit)") }
      try await Task.sleep(for: interval)
    }
  }
}
