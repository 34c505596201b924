/// Settings of a `KafkaConsumer`.
public struct KafkaConsumerConfiguration: Sendable {
  /// Where a group starts in a partition for which it has committed nothing (or something that is gone).
  public enum OffsetReset: String, Sendable {
    case earliest, latest
  }

  /// Bootstrap servers, `host:port` separated by commas.
  public var brokers: String
  public var groupID: String
  public var clientID: String
  /// Topic names, or patterns beginning with `^`.
  public var topics: [String]
  /// Records handed out or waiting, and not completed, above which intake stops; it resumes at three quarters. A partition
  /// that was just assigned may add one.
  public var highWater: Int = 10_000
  /// Bytes of records waiting to be handed out above which intake stops.
  public var highWaterBytes: Int = 64 << 20
  /// How long a partition that is taken away waits for its outstanding records to complete.
  public var drainTimeout: Duration = .seconds(10)
  /// How often watermarks are committed. A crash repeats at most what completed since.
  public var commitInterval: Duration = .milliseconds(500)
  /// After this time without a heartbeat the group gives the partitions to others.
  public var sessionTimeout: Duration = .seconds(10)
  /// How long a member may take to come back in a rebalance; the broker goes on without it then. The consumer's own thread
  /// polls all the time, and answers a revocation within `drainTimeout` and a commit, so a member that takes longer is stuck
  /// and must not hold up its group for librdkafka's usual five minutes. At least the session's time-out.
  public var rebalanceTimeout: Duration = .seconds(45)
  /// How long the broker may hold a fetch when it has no records.
  public var fetchWait: Duration = .milliseconds(100)
  /// Bytes librdkafka reads ahead of the application, in kibibytes.
  public var prefetchKilobytes: Int = 16 << 10
  /// How soon a subscribed topic that did not exist, or a new partition, is noticed.
  public var metadataRefresh: Duration = .seconds(5)
  /// Whether subscribing may create a topic (if the broker allows that too).
  public var allowAutoCreateTopics = false
  public var offsetReset: OffsetReset = .earliest
  /// Further settings by librdkafka's names; they win over everything above.
  public var extra: [String: String] = [:]

  public init(brokers: String, groupID: String, clientID: String, topics: [String]) {
    self.brokers = brokers
    self.groupID = groupID
    self.clientID = clientID
    self.topics = topics
  }

  var settings: ClientSettings {
    var settings = ClientSettings(brokers: brokers, clientID: clientID)
    settings["group.id"] = groupID
    // Eager: librdkafka 2.0.2 can crash or hang while a cooperative member closes.
    settings["partition.assignment.strategy"] = "range,roundrobin"
    // Offsets are committed by the consumer's loop, from the watermarks. librdkafka's own commits would be as good in
    // the ordinary case, but tell nobody when they fail and never move back after a log was truncated.
    settings["enable.auto.commit"] = "false"
    settings["enable.auto.offset.store"] = "false"
    settings["auto.offset.reset"] = offsetReset.rawValue
    settings["session.timeout.ms"] = String(sessionTimeout.wholeMilliseconds)
    settings["max.poll.interval.ms"] = String(max(rebalanceTimeout, sessionTimeout).wholeMilliseconds)
    settings["heartbeat.interval.ms"] = String(max(1, min(3000, sessionTimeout.wholeMilliseconds / 4)))
    settings["fetch.wait.max.ms"] = String(fetchWait.wholeMilliseconds)
    settings["fetch.error.backoff.ms"] = "100"
    settings["queued.max.messages.kbytes"] = String(max(1, prefetchKilobytes))
    settings["fetch.max.bytes"] = String(max(1, min(prefetchKilobytes, 1 << 20)) * 1024)
    settings["topic.metadata.refresh.interval.ms"] = String(metadataRefresh.wholeMilliseconds)
    settings["allow.auto.create.topics"] = String(allowAutoCreateTopics)
    settings.merge(extra)
    return settings
  }
}
