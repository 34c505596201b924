import Kafka
import Runtime

/// Names of the headers on the product's records.
public enum HeaderName {
  public static let traceparent = "traceparent"
  public static let contentType = "content-type"
  public static let schema = "schema"
  public static let originTopic = "dlq-origin-topic"
  public static let originPartition = "dlq-origin-partition"
  public static let originOffset = "dlq-origin-offset"
  public static let group = "dlq-group"
  public static let attempts = "dlq-attempts"
  public static let errorClass = "dlq-error-class"
  public static let error = "dlq-error"
  public static let firstFailure = "dlq-first-failure"
  public static let lastFailure = "dlq-last-failure"
}

extension Topic {
  private static let json = KafkaHeader(name: HeaderName.contentType, value: Array("application/json".utf8))

  /// A record for this topic with the headers that every record carries.
  public func record(key: String, value: [UInt8], trace: TraceContext) -> KafkaRecord {
    KafkaRecord(
      topic: name, key: Array(key.utf8), value: value,
      headers: [
        KafkaHeader(name: HeaderName.traceparent, value: trace.headerBytes),
        Topic.json,
        KafkaHeader(name: HeaderName.schema, value: Array(schema.utf8)),
      ])
  }
}

extension ConsumedRecord {
  /// The value of the last header of that name, as text.
  public func text(ofHeader name: String) -> String? { header(name).map { String(decoding: $0, as: UTF8.self) } }

  /// The trace this record belongs to; a new one when it carries none that can be read.
  public var trace: TraceContext {
    text(ofHeader: HeaderName.traceparent).flatMap { TraceContext(traceparent: $0) } ?? TraceContext()
  }
}
