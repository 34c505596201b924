import Mongo

/// The time that several operations may take together. Each is given what the ones before it left.
struct TimeAllowance: Sendable {
  private let deadline: ContinuousClock.Instant

  init(milliseconds: Int) { deadline = .now + .milliseconds(milliseconds) }

  /// Milliseconds for the next operation.
  ///
  /// - Throws: `MongoError` of kind `.timeout` when nothing is left, as the operation would.
  func remaining() throws(MongoError) -> Int {
    let left = ContinuousClock.now.duration(to: deadline) / .milliseconds(1)
    guard left >= 1 else {
      throw MongoError(kind: .timeout, message: "the operations before this one used up the time for all")
    }
    return Int(left)
  }
}
