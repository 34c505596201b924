/// Collects what does not add up.
struct Checks: Sendable {
  private(set) var failures: [String] = []

  /// Told in the result; the same kind of failure at every poll is told a few times only.
  private static let limit = 20

  mutating func expect(_ what: String, _ actual: Int, _ expectation: String, _ expected: Int) {
    guard actual != expected, failures.count < Self.limit else { return }
    failures.append("\(what): \(grouped(actual)), \(expectation): \(grouped(expected))")
  }
}
