import CRdKafka

extension KafkaAdmin {
  /// How far a group is behind, as the broker knows it: per partition of the topics that exist.
  ///
  /// A partition for which the group has committed nothing counts from its first record.
  /// - Throws: `.unavailable`, `.timedOut`, `.notAuthorised`, `.closed`.
  public func groupLag(
    group: String, topics: [String], timeout: Duration = .seconds(5)
  ) async throws(KafkaError) -> [PartitionLag] {
    try await blocking { [client] in
      let known = try metadataBlocking(client: client.pointer, timeout: timeout).topics
      let partitions = Set(topics).sorted().flatMap { topic in
        (known[topic] ?? []).map { TopicPartition(topic: topic, partition: $0) }
      }
      guard !partitions.isEmpty else { return [] }
      let committed = try committedOffsets(of: group, partitions, client: client.pointer, timeout: timeout)
      let ends = try offsets(partitions, at: .end, client: client.pointer, timeout: timeout)
      let unread = partitions.filter { committed[$0] == nil }
      let starts =
        unread.isEmpty ? [:] : try offsets(unread, at: .beginning, client: client.pointer, timeout: timeout)
      return partitions.compactMap { partition in
        // A partition whose leader did not answer is left out rather than shown as read.
        guard let end = ends[partition], let position = committed[partition] ?? starts[partition] else { return nil }
        return PartitionLag(
          topic: partition.topic, partition: partition.partition, committed: committed[partition], end: end,
          lag: max(0, end - position))
      }
    }
  }
}

/// What a group has committed; partitions without a commit are absent.
private func committedOffsets(
  of group: String, _ partitions: [TopicPartition], client: OpaquePointer, timeout: Duration
) throws(KafkaError) -> [TopicPartition: Int64] {
  guard !group.isEmpty else { throw .invalidConfiguration("the group has no name") }
  let queue = rd_kafka_queue_new(client)
  defer { rd_kafka_queue_destroy(queue) }
  let options = rd_kafka_AdminOptions_new(client, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS)
  defer { rd_kafka_AdminOptions_destroy(options) }
  let milliseconds = max(1, timeout.wholeMilliseconds)
  rd_kafka_AdminOptions_set_request_timeout(options, milliseconds, nil, 0)
  var request = withPartitionList(partitions) { rd_kafka_ListConsumerGroupOffsets_new(group, $0) }
  defer { rd_kafka_ListConsumerGroupOffsets_destroy(request) }
  rd_kafka_ListConsumerGroupOffsets(client, &request, 1, options, queue)
  guard let event = rd_kafka_queue_poll(queue, milliseconds &+ 1000) else {
    throw KafkaError(code: RD_KAFKA_RESP_ERR__TIMED_OUT)
  }
  defer { rd_kafka_event_destroy(event) }
  let code = rd_kafka_event_error(event)
  guard code == RD_KAFKA_RESP_ERR_NO_ERROR, let result = rd_kafka_event_ListConsumerGroupOffsets_result(event) else {
    throw describeError(of: client, code: code, reason: rd_kafka_event_error_string(event))
  }
  var count = 0
  guard let groups = rd_kafka_ListConsumerGroupOffsets_result_groups(result, &count), count > 0 else { return [:] }
  if let error = rd_kafka_group_result_error(groups[0]) {
    // Lent with the event, unlike errors that calls return.
    throw KafkaError(code: rd_kafka_error_code(error), message: String(cString: rd_kafka_error_string(error)))
  }
  return offsets(in: rd_kafka_group_result_partitions(groups[0]))
}

/// An end of a partition's log, as the protocol's ListOffsets names it in place of a time.
private enum LogEnd: Int64 {
  case end = -1
  case beginning = -2
}

/// One end of each partition's log, in one request to each leader. Partitions without an answer are absent.
private func offsets(
  _ partitions: [TopicPartition], at end: LogEnd, client: OpaquePointer, timeout: Duration
) throws(KafkaError) -> [TopicPartition: Int64] {
  let queries = partitions.map { PartitionOffset(partition: $0, offset: end.rawValue) }
  let (code, found) = withPartitionList(queries) { list in
    (rd_kafka_offsets_for_times(client, list, max(1, timeout.wholeMilliseconds)), offsets(in: list))
  }
  guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaError(code: code) }
  return found
}

private func offsets(in list: UnsafePointer<rd_kafka_topic_partition_list_t>?) -> [TopicPartition: Int64] {
  var found: [TopicPartition: Int64] = [:]
  for element in elements(of: list) where element.err == RD_KAFKA_RESP_ERR_NO_ERROR && element.offset >= 0 {
    found[TopicPartition(topic: String(cString: element.topic), partition: element.partition)] = element.offset
  }
  return found
}
