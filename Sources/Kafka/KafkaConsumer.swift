import CRdKafka
import Runtime
import Synchronization

/// Reads records as a member of a consumer group; offsets move only by `complete`.
///
/// Records may be completed in any order and by any task. What is committed for a partition is its watermark: the
/// lowest offset not completed. A record that is never completed holds its partition's watermark, and comes again after
/// a restart or a rebalance. Delivery is at least once.
///
/// One thread owns the client. It reads ahead until `highWater` records are outstanding, then pauses the partitions and
/// goes on polling, so that a slow application stays a member of its group. When partitions are taken away, their
/// records that were not handed out are dropped, those that were get `drainTimeout` to complete, and the watermarks are
/// committed before the partitions go; when they are lost already, nothing is committed.
public final class KafkaConsumer: Sendable {
  private let core: ConsumerCore

  /// Checks the settings; nothing is started.
  ///
  /// - Throws: `.invalidConfiguration`.
  public init(
    _ configuration: KafkaConsumerConfiguration, log: @escaping KafkaLogHandler = discardKafkaLog
  ) throws(KafkaError) {
    guard !configuration.topics.isEmpty else { throw .invalidConfiguration("no topics to subscribe to") }
    try configuration.settings.validate()
    core = ConsumerCore(configuration, log: log)
  }

  deinit {
    core.requestClose(drain: .zero)
  }

  /// Subscribes and starts the consumer's thread; at once, whether or not brokers and topics exist yet. A second call
  /// does nothing.
  ///
  /// - Throws: `.invalidConfiguration` for settings that do not go together, `.closed` after `close`.
  public func start() throws(KafkaError) {
    try core.start()
  }

  /// The next records: waits up to `wait` for the first, then takes what there is up to `max`.
  ///
  /// Several tasks may call this at once; they are served in turn.
  /// - Parameter linger: once there is a record, how long to wait for the batch to fill.
  /// - Returns: an empty array when the time is up or the task is cancelled, nil once the consumer is closed or has
  ///   failed for good (see `health`).
  public func nextBatch(max: Int, wait: Duration, linger: Duration = .zero) async -> [ConsumedRecord]? {
    await core.nextBatch(max: max, wait: wait, linger: linger)
  }

  /// Marks records as done, in any order. Positions from an earlier assignment, or completed before, are ignored.
  public func complete(_ records: [RecordPosition]) {
    core.complete(records)
  }

  /// Marks records as done; see `complete`.
  public func complete(records: [ConsumedRecord]) {
    core.complete(records.lazy.map(\.position))
  }

  /// Stops reading from the broker and handing out until `resume`. The consumer stays in its group.
  public func pause() { core.setPaused(true) }

  public func resume() { core.setPaused(false) }

  /// Whether the application has paused intake.
  public var isPaused: Bool { core.isPaused }

  /// Records read and not completed.
  public var outstanding: Int { core.withState { $0.tracker.outstanding } }

  /// The partitions that belong to this consumer now.
  public var assignment: [TopicPartition] { core.withState { $0.tracker.assigned } }

  public var statistics: KafkaConsumerStatistics { core.withState { $0.snapshot } }

  public var health: KafkaHealth { core.context.health.snapshot }

  /// How far the assigned partitions are behind, from what the client knows without asking the broker.
  ///
  /// The ends are those of the last fetch: while intake is paused they stand still, and a partition that has sent
  /// nothing since its assignment counts as read to its end. `KafkaAdmin.groupLag` asks the broker.
  public func lag() async -> [PartitionLag] { await core.lag() }

  /// Leaves the group: stops handing out, waits up to `drain` for outstanding records, commits, and ends the client.
  ///
  /// May be called again, and by several tasks; each returns when the client has ended, at the latest some 20 s after
  /// the drain.
  public func close(drain: Duration = .seconds(10)) async {
    core.requestClose(drain: drain)
    guard await !core.closed.wasSet(within: drain + .seconds(20)) else { return }
    core.context.log(.error, "CLOSE", "the consumer's client did not end in time; its threads are left behind")
  }
}
