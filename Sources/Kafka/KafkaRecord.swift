/// One header of a record. Names may repeat; order is kept.
public struct KafkaHeader: Sendable, Hashable {
  public var name: String
  /// The header's bytes. Kafka's null header value reads as empty.
  public var value: [UInt8]

  public init(name: String, value: [UInt8]) {
    self.name = name
    self.value = value
  }

  public init(name: String, value: String) {
    self.init(name: name, value: Array(value.utf8))
  }

  /// The value as text; bytes that are not UTF-8 become U+FFFD.
  public var text: String { String(decoding: value, as: UTF8.self) }
}

/// A record to produce.
public struct KafkaRecord: Sendable, Hashable {
  public var topic: String
  /// Records of one key go to one partition, in order (Java's murmur2 hash); without a key the partition is random.
  public var key: [UInt8]?
  /// `nil` is a tombstone, which is not the same as an empty value.
  public var value: [UInt8]?
  public var headers: [KafkaHeader]
  /// A fixed partition, or `nil` to let the key decide.
  public var partition: Int32?

  public init(
    topic: String, key: [UInt8]? = nil, value: [UInt8]?, headers: [KafkaHeader] = [], partition: Int32? = nil
  ) {
    self.topic = topic
    self.key = key
    self.value = value
    self.headers = headers
    self.partition = partition
  }
}

/// Where the broker has written a record (all in-sync replicas have it).
public struct DeliveryReport: Sendable, Hashable {
  public let topic: String
  public let partition: Int32
  public let offset: Int64

  public init(topic: String, partition: Int32, offset: Int64) {
    self.topic = topic
    self.partition = partition
    self.offset = offset
  }
}

/// A partition of a topic.
public struct TopicPartition: Sendable, Hashable, Comparable, CustomStringConvertible {
  public let topic: String
  public let partition: Int32

  public init(topic: String, partition: Int32) {
    self.topic = topic
    self.partition = partition
  }

  public static func < (one: TopicPartition, other: TopicPartition) -> Bool {
    (one.topic, one.partition) < (other.topic, other.partition)
  }

  public var description: String { "\(topic)[\(partition)]" }
}

/// What a consumer needs to know to take a record as completed.
public struct RecordPosition: Sendable, Hashable {
  public let topic: String
  public let partition: Int32
  public let offset: Int64
  /// The assignment under which the record was read. A completion from an older assignment is ignored: the partition
  /// has had another owner since.
  public let epoch: UInt64

  public init(topic: String, partition: Int32, offset: Int64, epoch: UInt64) {
    self.topic = topic
    self.partition = partition
    self.offset = offset
    self.epoch = epoch
  }
}

/// A record that a consumer has read.
public struct ConsumedRecord: Sendable, Hashable {
  public let topic: String
  public let partition: Int32
  public let offset: Int64
  /// See `RecordPosition.epoch`.
  public internal(set) var epoch: UInt64
  public let key: [UInt8]?
  /// `nil` is a tombstone.
  public let value: [UInt8]?
  public let headers: [KafkaHeader]
  /// Milliseconds since 1970 as the record carries them, -1 when it carries none.
  public let timestampMS: Int64

  public init(
    topic: String, partition: Int32, offset: Int64, epoch: UInt64, key: [UInt8]?, value: [UInt8]?,
    headers: [KafkaHeader] = [], timestampMS: Int64 = -1
  ) {
    self.topic = topic
    self.partition = partition
    self.offset = offset
    self.epoch = epoch
    self.key = key
    self.value = value
    self.headers = headers
    self.timestampMS = timestampMS
  }

  /// What `KafkaConsumer.complete` takes.
  public var position: RecordPosition {
    RecordPosition(topic: topic, partition: partition, offset: offset, epoch: epoch)
  }

  /// The bytes of the last header of that name.
  public func header(_ name: String) -> [UInt8]? {
    headers.last { $0.name == name }?.value
  }

  /// Bytes of key, value and headers.
  var byteCount: Int {
    headers.reduce((key?.count ?? 0) + (value?.count ?? 0)) { $0 + $1.name.utf8.count + $1.value.count }
  }
}

/// How far a group is behind in one partition.
public struct PartitionLag: Sendable, Hashable {
  public let topic: String
  public let partition: Int32
  /// The next offset to process; `nil` when the group has not committed one yet.
  public let committed: Int64?
  /// The offset the next produced record gets.
  public let end: Int64
  /// Records between the two, never negative.
  public let lag: Int64

  public init(topic: String, partition: Int32, committed: Int64?, end: Int64, lag: Int64) {
    self.topic = topic
    self.partition = partition
    self.committed = committed
    self.end = end
    self.lag = lag
  }
}
