/// Bounds of a transaction and of its repetitions.
public struct TransactionOptions: Sendable {
  /// After this long no further attempt begins, and no commit is sent again.
  public var deadline: Duration = .seconds(30)
  /// How often the body runs at most.
  public var maximumAttempts = 100
  /// How long the server may take for one commit.
  public var maxCommitTimeMS = 20_000

  public init() {}

  public init(deadline: Duration, maximumAttempts: Int = 100) {
    self.deadline = deadline
    self.maximumAttempts = maximumAttempts
  }
}

/// Waits that double up to a cap, each drawn evenly from zero to the bound ("full jitter"), so that transactions that met
/// once do not meet again.
struct TransactionBackoff {
  private var bound = Duration.milliseconds(4)
  private static let cap = Duration.milliseconds(256)

  mutating func next() -> Duration {
    defer { bound = min(bound * 2, Self.cap) }
    return bound * Double.random(in: 0...1)
  }
}
