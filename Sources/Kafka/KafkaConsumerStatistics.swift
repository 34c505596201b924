/// A consumer's counts, for metrics.
public struct KafkaConsumerStatistics: Sendable, Equatable {
  /// Records read and not handed out yet.
  public internal(set) var queued = 0
  /// Records read and not completed; includes the queued ones.
  public internal(set) var outstanding = 0
  public internal(set) var assignedPartitions = 0
  /// Whether intake is paused, by the application or because too much is outstanding.
  public internal(set) var paused = false
  /// Records read since the start.
  public internal(set) var consumed = 0
  /// Records completed since the start.
  public internal(set) var completed = 0
  /// Completions that came twice, or after the partition had gone.
  public internal(set) var staleCompletions = 0
  /// Commits the coordinator accepted, and those it did not; what failed is committed again with the next.
  public internal(set) var commits = 0
  public internal(set) var commitFailures = 0
  /// Assignments received.
  public internal(set) var rebalances = 0
}
