import CRdKafka
import Runtime

/// Commits, and leaving the group.
extension ConsumerLoop {
  static let commitTimeout = Duration.seconds(5)
  private static let leaveTimeout = Duration.seconds(5)

  func commitIfDue() {
    collectCommits(waiting: .zero)
    guard Instant.now >= nextCommit, commits.pending == 0 else { return }
    nextCommit = .now + core.configuration.commitInterval
    sendCommit()
  }

  /// Commits what is uncommitted and waits for the coordinator's answer.
  func commit(waiting limit: Duration) {
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

  /// Drains, commits and leaves, each within its bound.
  func leave() {
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
        // Records that were on their way come here as well: a call that only serves callbacks would abort the process.
        if let message = rd_kafka_consume_queue(closing, 10) { rd_kafka_message_destroy(message) }
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
