import CRdKafka

/// A partition and an offset, as lists of librdkafka carry them.
struct PartitionOffset: Sendable, Hashable {
  let partition: TopicPartition
  let offset: Int64
}

/// The partitions of a list that librdkafka lends.
func partitions(in list: UnsafePointer<rd_kafka_topic_partition_list_t>?) -> [TopicPartition] {
  elements(of: list).map { TopicPartition(topic: String(cString: $0.topic), partition: $0.partition) }
}

/// The elements of a list that librdkafka lends; they point into the list.
func elements(
  of list: UnsafePointer<rd_kafka_topic_partition_list_t>?
) -> UnsafeBufferPointer<rd_kafka_topic_partition_t> {
  guard let list, let first = list.pointee.elems else { return UnsafeBufferPointer(start: nil, count: 0) }
  return UnsafeBufferPointer(start: first, count: Int(list.pointee.cnt))
}

/// Lends `body` a list of librdkafka's with these partitions, destroyed afterwards.
func withPartitionList<T>(
  _ partitions: some Collection<TopicPartition>,
  _ body: (UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) throws -> T
) rethrows -> T {
  let list = rd_kafka_topic_partition_list_new(Int32(partitions.count))!
  defer { rd_kafka_topic_partition_list_destroy(list) }
  for partition in partitions {
    _ = rd_kafka_topic_partition_list_add(list, partition.topic, partition.partition)
  }
  return try body(list)
}

/// Lends `body` a list of librdkafka's with these partitions and offsets, destroyed afterwards.
func withPartitionList<T>(
  _ offsets: some Collection<PartitionOffset>,
  _ body: (UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) throws -> T
) rethrows -> T {
  let list = rd_kafka_topic_partition_list_new(Int32(offsets.count))!
  defer { rd_kafka_topic_partition_list_destroy(list) }
  for element in offsets {
    let added = rd_kafka_topic_partition_list_add(list, element.partition.topic, element.partition.partition)
    added?.pointee.offset = element.offset
  }
  return try body(list)
}
