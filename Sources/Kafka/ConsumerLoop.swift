import CRdKafka
import Runtime

/// The life of a consumer's thread: poll, hand over, commit, rebalance, and in the end leave the group.
///
/// Only this thread calls the client (but for the yield that wakes it), so the order of things is the order of the text.
final class ConsumerLoop {
  private typealias Instant = ContinuousClock.Instant

  let client: OpaquePointer
  let core: ConsumerCore
  private let handle: ClientHandle
  private let queue: OpaquePointer
  private var commits: CommitQueue
  /// Whether the partitions are paused in the client.
  private var paused = false
  private var nextCommit: Instant = .now
  private var nextProbe: Instant = .now
  private var topicNames = TopicNames()

  /// The longest poll; bounds how late a commit or a health probe may be.
  private static let longestPoll = Duration.milliseconds(100)
  /// Records taken from the client before they are handed over.
  private static let largestIntake = 500
  /// How long a full consumer waits for completions before it pauses its partitions. A pause throws away what the
  /// client has read ahead, to be fetched again; while the application merely trails the broker that would happen all
  /// the time. Not polling for so short a time costs nothing.
  private static let pauseGrace = Duration.milliseconds(250)
  private static let commitTimeout = Duration.seconds(5)
  private static let leaveTimeout = Duration.seconds(5)

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
      if core.withState({ $0.mayResume }) { setPaused(false) }
    } else if core.withState({ $0.capacity <= 0 }) {
      let resumed = core.awaitCompletions(until: .now + Self.pauseGrace) { [core] state in
        state.mayResume || core.drainDeadline != nil || core.isPaused
      }
      if !resumed { setPaused(true) }
    }
  }

  private func setPaused(_ pause: Bool) {
    guard pause != paused else { return }
    paused = pause
    applyPause(to: core.withState { $0.tracker.assigned })
    core.withState { $0.intakePaused(pause) }
  }

  private func applyPause(to partitions: [TopicPartition]) {
    guard !partitions.isEmpty else { return }
    let code = withPartitionList(partitions) { list in
      paused ? rd_kafka_pause_partitions(client, list) : rd_kafka_resume_partitions(client, list)
    }
    if code != RD_KAFKA_RESP_ERR_NO_ERROR { core.context.report(KafkaError(code: code)) }
  }

  /// Waits for a record or an event, then takes what is there. While paused, polling goes on: it keeps the membership
  /// alive, serves rebalances, and a few records may still come.
  private func poll() {
    let room = paused ? Self.largestIntake : core.withState { $0.capacity }
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
        records.append(record(copying: message))
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

  private func record(copying message: UnsafeMutablePointer<rd_kafka_message_t>) -> ConsumedRecord {
    let fields = message.pointee
    return ConsumedRecord(
      topic: topicNames.name(of: fields.rkt), partition: fields.partition, offset: fields.offset, epoch: 0,
      key: fields.key.map { [UInt8](UnsafeRawBufferPointer(start: $0, count: fields.key_len)) },
      value: fields.payload.map { [UInt8](UnsafeRawBufferPointer(start: $0, count: fields.len)) },
      headers: headers(of: message), timestampMS: rd_kafka_message_timestamp(message, nil))
  }

  private func headers(of message: UnsafeMutablePointer<rd_kafka_message_t>) -> [KafkaHeader] {
    var list: OpaquePointer?
    guard rd_kafka_message_headers(message, &list) == RD_KAFKA_RESP_ERR_NO_ERROR, let list else { return [] }
    let count = rd_kafka_header_cnt(list)
    var headers: [KafkaHeader] = []
    headers.reserveCapacity(count)
    for index in 0..<count {
      var name: UnsafePointer<CChar>?
      var value: UnsafeRawPointer?
      var size = 0
      guard rd_kafka_header_get_all(list, index, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR, let name else {
        break
      }
      headers.append(
        KafkaHeader(name: String(cString: name), value: [UInt8](UnsafeRawBufferPointer(start: value, count: size))))
    }
    return headers
  }

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

// MARK: - Rebalance

extension ConsumerLoop {
  private func rebalance() {
    for rebalance in core.context.takeRebalances() {
      switch rebalance.kind {
      case .assign:
        assign(rebalance.partitions)
      case .revoke:
        revoke(rebalance.partitions)
      case .failed(let error):
        core.context.report(error)
        revoke(core.withState { $0.tracker.assigned })
      }
    }
  }

  private func assign(_ partitions: [TopicPartition]) {
    topicNames = TopicNames()
    core.withState { $0.assign(partitions) }
    let code = withPartitionList(partitions) { rd_kafka_assign(client, $0) }
    if code != RD_KAFKA_RESP_ERR_NO_ERROR { core.context.report(KafkaError(code: code)) }
    core.context.log(.info, "ASSIGN", "assigned \(partitions.count) partitions")
    // New partitions start unpaused, whatever state intake is in.
    if paused { applyPause(to: partitions) }
  }

  private func revoke(_ partitions: [TopicPartition]) {
    let lost = rd_kafka_assignment_lost(client) != 0
    core.withState { $0.beginRevoking(partitions) }
    if lost {
      core.context.log(.warning, "REVOKE", "lost \(partitions.count) partitions: outstanding records come again")
    } else {
      drain(partitions)
      commit(waiting: Self.commitTimeout)
      core.context.log(.info, "REVOKE", "gave back \(partitions.count) partitions")
    }
    core.withState { $0.finishRevoking(partitions) }
    commits.reset()
    rd_kafka_assign(client, nil)
  }

  /// Waits for the records of these partitions that the application holds; a closing consumer's deadline counts too.
  private func drain(_ partitions: [TopicPartition]) {
    let limit = Instant.now + core.configuration.drainTimeout
    while Instant.now < min(limit, core.drainDeadline ?? limit) {
      // In steps, to notice that the consumer is being closed.
      let step = min(limit, core.drainDeadline ?? limit, .now + .milliseconds(100))
      if core.awaitCompletions(until: step, { $0.tracker.outstanding(in: partitions) == 0 }) { return }
    }
    let left = core.withState { $0.tracker.outstanding(in: partitions) }
    if left > 0 { core.context.log(.warning, "DRAIN", "\(left) records did not complete in time: they come again") }
  }
}

// MARK: - Commits and the end

extension ConsumerLoop {
  private func commitIfDue() {
    collectCommits(waiting: .zero)
    guard Instant.now >= nextCommit, commits.pending == 0 else { return }
    nextCommit = .now + core.configuration.commitInterval
    sendCommit()
  }

  /// Commits what is uncommitted and waits for the coordinator's answer.
  private func commit(waiting limit: Duration) {
    let deadline = Instant.now + limit
    collectCommits(waiting: limit)
    sendCommit()
    collectCommits(waiting: max(.zero, deadline - .now))
  }

  private func sendCommit() {
    let offsets = core.withState { $0.tracker.uncommitted }
    guard !offsets.isEmpty else { return }
    if let error = commits.send(offsets) { commitFailed(error) }
  }

  private func collectCommits(waiting limit: Duration) {
    commits.collect(waiting: limit) { [core] result in
      switch result {
      case .success(let offsets): core.withState { $0.committed(offsets) }
      case .failure(let error): commitFailed(error)
      }
    }
  }

  /// The offsets stay uncommitted and go with the next commit, or are read again by the partition's new owner.
  private func commitFailed(_ error: KafkaError) {
    core.withState { $0.commitFailed() }
    // Partitions on their way to another member: part of every rebalance.
    let level: KafkaLogLevel = KafkaError.rebalanceCodes.contains(error.code) ? .debug : .warning
    core.context.log(level, "COMMIT", error.description)
  }

  private func leave() {
    setPaused(true)
    let deadline = core.drainDeadline ?? .now
    let failed = core.context.health.fatalError != nil
    while !failed, Instant.now < deadline, core.withState({ $0.tracker.outstanding > 0 }) {
      // Polling goes on, so that the drain does not cost the membership; records that still come are dropped.
      if let message = rd_kafka_consumer_poll(client, 0) { rd_kafka_message_destroy(message) }
      rebalance()
      _ = core.awaitCompletions(until: min(deadline, .now + .milliseconds(20))) { $0.tracker.outstanding == 0 }
    }
    if !failed { commit(waiting: Self.commitTimeout) }
    // Closing revokes what is assigned, and needs an answer to that: the queue is served until it is done.
    let closing = rd_kafka_queue_new(client)
    if let error = rd_kafka_consumer_close_queue(client, closing) {
      core.context.report(KafkaError(consuming: error))
    } else {
      let limit = Instant.now + Self.leaveTimeout
      while rd_kafka_consumer_closed(client) == 0, Instant.now < limit {
        _ = rd_kafka_queue_poll_callback(closing, 10)
        rebalance()
      }
    }
    rd_kafka_queue_destroy(closing)
  }
}

extension KafkaError {
  /// What a commit meets when the group is being rebalanced.
  static let rebalanceCodes: Set<Int32> = [
    RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS.rawValue, RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION.rawValue,
    RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID.rawValue, RD_KAFKA_RESP_ERR__STATE.rawValue,
    RD_KAFKA_RESP_ERR__NO_OFFSET.rawValue, RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST.rawValue,
  ]
}

/// Names of topics by librdkafka's handle, so that a name is made once and not for every record. The handles live as
/// long as the assignment.
private struct TopicNames {
  private var names: [OpaquePointer: String] = [:]
  private var last: (handle: OpaquePointer, name: String)?

  mutating func name(of handle: OpaquePointer) -> String {
    if let last, last.handle == handle { return last.name }
    let name = names[handle] ?? String(cString: rd_kafka_topic_name(handle))
    names[handle] = name
    last = (handle, name)
    return name
  }
}
