import Synchronization

/// Counts from whatever thread: attempts of a retried body, jobs that ran.
final class Counter: Sendable {
  private let count = Atomic<Int>(0)

  var value: Int { count.load(ordering: .relaxed) }

  @discardableResult
  func next() -> Int { count.wrappingAdd(1, ordering: .relaxed).newValue }
}
