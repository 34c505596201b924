import Synchronization

/// Runs `body` for each index below `count`, `workers` of them at a time.
///
/// - Throws: the first error; the others are cancelled.
func concurrently(
  _ count: Int, workers: Int, _ body: @escaping @Sendable (Int) async throws -> Void
) async throws {
  let next = Counter()
  try await withThrowingTaskGroup(of: Void.self) { group in
    for _ in 0..<min(workers, count) {
      group.addTask {
        while let index = next.take(below: count) { try await body(index) }
      }
    }
    try await group.waitForAll()
  }
}

/// Hands out numbers from 0, and adds up.
final class Counter: Sendable {
  private let value = Atomic(0)

  var total: Int { value.load(ordering: .relaxed) }

  func add(_ amount: Int) { value.add(amount, ordering: .relaxed) }

  func take(below limit: Int) -> Int? {
    let index = value.add(1, ordering: .relaxed).oldValue
    return index < limit ? index : nil
  }
}
