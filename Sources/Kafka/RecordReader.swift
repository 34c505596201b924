import CRdKafka

/// Turns messages of librdkafka's into records.
///
/// Keeps the names of topics by librdkafka's handle, so that a name is made once and not for every record. The handles
/// live as long as the assignment; a new one gets a new reader.
struct RecordReader {
  private var names: [OpaquePointer: String] = [:]
  private var last: (handle: OpaquePointer, name: String)?

  /// Copies everything, so that the message can be destroyed at once.
  mutating func record(copying message: UnsafeMutablePointer<rd_kafka_message_t>) -> ConsumedRecord {
    let fields = message.pointee
    return ConsumedRecord(
      topic: topicName(of: fields.rkt), partition: fields.partition, offset: fields.offset, epoch: 0,
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

  private mutating func topicName(of handle: OpaquePointer) -> String {
    if let last, last.handle == handle { return last.name }
    let name = names[handle] ?? String(cString: rd_kafka_topic_name(handle))
    names[handle] = name
    last = (handle, name)
    return name
  }
}
