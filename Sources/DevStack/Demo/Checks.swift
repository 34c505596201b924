/// Numbers that must agree, and those that did not.
struct Checks: Sendable {
  private(set) var made = 0
  private(set) var failures: [String] = []

  mutating func expect(_ what: String, _ value: Int64, equals expected: Int64, _ source: String) {
    expect(value == expected, "\(what) is \(grouped(value)), \(source) says \(grouped(expected))")
  }

  /// One failure of a kind is told once, however often it is seen.
  mutating func expect(_ isTrue: Bool, _ failure: String) {
    made += 1
    if !isTrue, failures.count < 20, !failures.contains(failure) { failures.append(failure) }
  }
}
