/// A wait ended before what it waited for happened.
public struct DeadlineExceeded: Error, CustomStringConvertible {
  public let what: String
  public let after: Duration

  public init(what: String, after: Duration) {
    self.what = what
    self.after = after
  }

  public var description: String { "\(what) took longer than \(after)" }
}

/// Runs `body` and cancels it when it takes longer than `limit`.
///
/// Returns when `body` has returned, so a body must notice its cancellation.
/// - Throws: `DeadlineExceeded`, or what `body` throws.
public func withDeadline<T: Sendable>(
  _ limit: Duration, _ what: String, _ body: @escaping @Sendable () async throws -> T
) async throws -> T {
  try await withThrowingTaskGroup(of: T?.self) { group in
    group.addTask { try await body() }
    group.addTask {
      try await Task.sleep(for: limit)
      return nil
    }
    defer { group.cancelAll() }
    guard let first = try await group.next(), let value = first else {
      throw DeadlineExceeded(what: what, after: limit)
    }
    return value
  }
}
