import CRdKafka

/// Commits under way, and where their results arrive. Belongs to the consumer's thread.
struct CommitQueue {
  private let client: OpaquePointer
  private var queue: OpaquePointer
  /// Commits without a result yet.
  private(set) var pending = 0

  init(client: OpaquePointer) {
    self.client = client
    queue = rd_kafka_queue_new(client)
  }

  /// Sends a commit, without waiting for it.
  mutating func send(_ offsets: [PartitionOffset]) -> KafkaError? {
    let code = withPartitionList(offsets) { rd_kafka_commit_queue(client, $0, queue, nil, nil) }
    guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { return KafkaError(code: code) }
    pending += 1
    return nil
  }

  /// Passes on the results that come within `limit`; returns as soon as none is pending.
  mutating func collect(waiting limit: Duration, _ result: (Result<[PartitionOffset], KafkaError>) -> Void) {
    let deadline = ContinuousClock.now + limit
    while pending > 0 {
      guard let event = rd_kafka_queue_poll(queue, max(.zero, deadline - .now).wholeMilliseconds) else {
        if ContinuousClock.now >= deadline { return }
        continue
      }
      defer { rd_kafka_event_destroy(event) }
      guard rd_kafka_event_type(event) == RD_KAFKA_EVENT_OFFSET_COMMIT else { continue }
      pending -= 1
      let code = rd_kafka_event_error(event)
      let list = elements(of: rd_kafka_event_topic_partition_list(event))
      if code == RD_KAFKA_RESP_ERR_NO_ERROR {
        result(
          .success(
            list.lazy.filter { $0.err == RD_KAFKA_RESP_ERR_NO_ERROR }.map {
              PartitionOffset(
                partition: TopicPartition(topic: String(cString: $0.topic), partition: $0.partition), offset: $0.offset)
            }))
      }
      let refused = list.first { $0.err != RD_KAFKA_RESP_ERR_NO_ERROR }.map(\.err) ?? code
      if refused != RD_KAFKA_RESP_ERR_NO_ERROR { result(.failure(KafkaError(code: refused))) }
    }
  }

  /// Forgets the results still to come: after a change of assignment they would be taken for the new one's.
  mutating func reset() {
    guard pending > 0 else { return }
    rd_kafka_queue_destroy(queue)
    queue = rd_kafka_queue_new(client)
    pending = 0
  }

  func destroy() {
    rd_kafka_queue_destroy(queue)
  }
}
