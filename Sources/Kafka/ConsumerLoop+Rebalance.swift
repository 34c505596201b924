import CRdKafka
import Runtime

/// Partitions come and go.
extension ConsumerLoop {
  /// Carries out what the group has announced.
  func rebalance() {
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
    forgetTopicNames()
    core.withState { $0.assign(partitions) }
    let code = withPartitionList(partitions) { rd_kafka_assign(client, $0) }
    if code != RD_KAFKA_RESP_ERR_NO_ERROR { core.context.report(KafkaError(code: code)) }
    core.context.log(.info, "ASSIGN", "assigned \(partitions.count) partitions")
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
    // The client remembers a pause beyond the assignment in which it was asked for: a partition that was given back while
    // intake stood still, and comes again, would never be read. Now is the time to take it back: none is being started.
    resume(partitions)
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
