import CRdKafka
import Runtime

/// The life of a consumer's thread: poll, hand over, commit, rebalance, and in the end leave the group.
///
/// Only this thread calls the client (but for the yield that wakes it), so the order of things is the order of the text.
final class ConsumerLoop {
  typealias Instant = ContinuousClock.Instant

  let client: OpaquePointer
  let core: ConsumerCore
  private let handle: ClientHandle
  private let queue: OpaquePointer
  var commits: CommitQueue
  /// Whether intake stands still.
  private(set) var paused = false
  /// The partitions that are paused in the client.
  private var pausedPartitions: Set<TopicPartition> = []
  /// When watermarks are committed next.
  var nextCommit: Instant = .now
  private var nextProbe: Instant = .now
  private var reader = RecordReader()

  /// The longest poll; bounds how late a commit or a health probe may be.
  private static let longestPoll = Duration.milliseconds(100)
  /// Records taken from the client before they are handed over.
  private static let largestIntake = 500
  /// How long a full consumer waits for completions before it pauses its partitions. A pause throws away what the
  /// client has read ahead, to be fetched again; while the application merely trails the broker that would happen all
  /// the time. Not polling for so short a time costs nothing.
  private static let pauseGrace = Duration.milliseconds(250)

  init(client: ClientHandle, core: ConsumerCore) {
    handle = client
    self.client = client.pointer
    self.core = core
    queue = rd_kafka_queue_get_consumer(client.pointer)
    commits = CommitQueue(client: client.pointer)
  }

  func run() {
    core.setQueue(ClientHandle(pointer: queue))
    subscribe()
    while core.drainDeadline == nil, core.context.health.fatalError == nil {
      regulateIntake()
      poll()
      rebalance()
      commitIfDue()
      answerLagRequests()
      probeIfDown()
      core.resuming { $0.serveWaiters(now: .now) }
    }
    core.resuming { $0.beginClosing() }
    leave()
    core.setQueue(nil)
    commits.destroy()
    rd_kafka_queue_destroy(queue)
    handle.destroy(context: core.context)
  }

  private func subscribe() {
    let topics = core.configuration.topics.map { TopicPartition(topic: $0, partition: -1) }
    let code = withPartitionList(topics) { rd_kafka_subscribe(client, $0) }
    // Refused for a malformed name or pattern only: nothing would ever come.
    if code != RD_KAFKA_RESP_ERR_NO_ERROR {
      core.context.report(.fatal(cause: code, message: "cannot subscribe to \(core.configuration.topics)"))
    }
  }
}

// MARK: - Intake

extension ConsumerLoop {
  private func regulateIntake() {
    if core.isPaused {
      setPaused(true)
    } else if paused {
      setPaused(!core.withState { $0.mayResume })
    } else if core.withState({ $0.capacity <= 0 }) {
      let resumed = core.awaitCompletions(until: .now + Self.pauseGrace) { [core] state in
        state.mayResume || core.drainDeadline != nil || core.isPaused
      }
      if !resumed { setPaused(true) }
    }
  }

  func setPaused(_ pause: Bool) {
    if pause { pauseWhatIsRead() }
    guard pause != paused else { return }
    paused = pause
    if !pause { resume(pausedPartitions) }
    core.withState { $0.intakePaused(pause) }
  }

  /// Pauses the partitions that have yielded a record since they were assigned; the others when they have yielded one.
  ///
  /// Both a start and a pause or resume of a partition take a version in the client, and an operation that arrives with
  /// an older one is dropped without a word: a start that crosses a pause or resume may never come about, and then nobody
  /// reads the partition as long as the assignment lasts (librdkafka's issue 5591). A record shows that the start is over.
  private func pauseWhatIsRead() {
    let unpaused = core.withState { state in
      state.tracker.assigned.filter { state.tracker.watermark(of: $0) != nil && !pausedPartitions.contains($0) }
    }
    guard !unpaused.isEmpty else { return }
    check(withPartitionList(unpaused) { rd_kafka_pause_partitions(client, $0) })
    pausedPartitions.formUnion(unpaused)
  }

  func resume(_ partitions: some Sequence<TopicPartition>) {
    let partitions = Array(partitions)
    guard !partitions.isEmpty else { return }
    check(withPartitionList(partitions) { rd_kafka_resume_partitions(client, $0) })
    pausedPartitions.subtract(partitions)
  }

  private func check(_ code: rd_kafka_resp_err_t) {
    if code != RD_KAFKA_RESP_ERR_NO_ERROR { core.context.report(KafkaError(code: code)) }
  }

  /// Waits for a record or an event, then takes what is there. While paused, polling goes on: it keeps the membership
  /// alive, serves rebalances, and a partition that is new may yield a record, one at a time.
  private func poll() {
    let room = paused ? 1 : core.withState { $0.capacity }
    // A paused consumer that may be resumed by completions looks for them more often.
    let longest = paused ? .milliseconds(20) : Self.longestPoll
    var limit = Instant.now + longest
    if nextCommit < limit, core.withState({ !$0.tracker.uncommitted.isEmpty }) { limit = nextCommit }
    var timeout = max(1, core.planWait(until: limit).wholeMilliseconds)
    var records: [ConsumedRecord] = []
    while records.count < min(max(1, room), Self.largestIntake) {
      guard let message = rd_kafka_consumer_poll(client, timeout) else { break }
      timeout = 0
      if message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR {
        records.append(reader.record(copying: message))
      } else {
        report(message)
      }
      rd_kafka_message_destroy(message)
    }
    guard !records.isEmpty else { return }
    if core.context.health.allBrokersDown { core.context.health.reached() }
    // A rebalance that came up during the poll goes first: records of a partition that is leaving are not handed out.
    rebalance()
    core.resuming { $0.receive(records, now: .now) }
  }

  /// For a new assignment: the old one's handles may go.
  func forgetTopicNames() { reader = RecordReader() }

  /// Errors of the consumer are weather: a topic that is not there yet, a broker that is away. librdkafka tries again
  /// by itself; what it cannot repair it reports as fatal.
  private func report(_ message: UnsafeMutablePointer<rd_kafka_message_t>) {
    let code = message.pointee.err
    guard code != RD_KAFKA_RESP_ERR__PARTITION_EOF else { return }
    core.context.report(describeError(of: client, code: code, reason: rd_kafka_message_errstr(message)))
  }

  private func probeIfDown() {
    guard core.context.health.allBrokersDown, Instant.now >= nextProbe else { return }
    nextProbe = .now + .seconds(1)
    if (try? handle.reachBroker(within: .milliseconds(100))) != nil { core.context.health.reached() }
  }

  private func answerLagRequests() {
    let requests = core.takeLagRequests()
    guard !requests.isEmpty else { return }
    let tracker = core.withState { $0.tracker }
    let lags = tracker.assigned.map { partition in
      var low: Int64 = -1
      var high: Int64 = -1
      rd_kafka_get_watermark_offsets(client, partition.topic, partition.partition, &low, &high)
      let watermark = tracker.watermark(of: partition)
      let end = max(high, watermark ?? 0, 0)
      return PartitionLag(
        topic: partition.topic, partition: partition.partition, committed: watermark, end: end,
        lag: max(0, end - (watermark ?? end)))
    }
    for request in requests { request.resume(returning: lags) }
  }
}
