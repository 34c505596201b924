import CivilTime
import Kafka
import Runtime

/// Why a record cannot be processed, now or later. It goes to `campaign.dlq`; its partition goes on.
public struct PoisonError: Error, Sendable, CustomStringConvertible {
  /// A short, stable name to filter by: `unreadable_record`, `unknown_campaign`, …
  public let errorClass: String
  /// A sentence for people: what is wrong, and where.
  public let message: String

  public init(_ errorClass: String, _ message: String) {
    self.errorClass = errorClass
    self.message = message
  }

  public var description: String { "\(errorClass): \(message)" }
}

/// Error classes of dead letters that other parts act on.
public enum DeadLetterClass {
  /// A send used up its attempts and was never taken: a replay begins a new cycle of attempts.
  public static let attemptsExhausted = "attempts_exhausted"
}

/// Publishes dead letters and waits for their acknowledgement, so that an origin's offset never moves before.
public struct DeadLetterPublisher: Sendable {
  private static let errorLimit = 4096

  private let producer: KafkaProducer
  private let group: String
  private let clock: any WallClock

  /// - Parameter group: the consumer group that gave up.
  public init(producer: KafkaProducer, group: String, clock: any WallClock) {
    self.producer = producer
    self.group = group
    self.clock = clock
  }

  /// The dead letter for a record: the origin's key, value and schema, byte for byte, and where it came from.
  public func deadLetter(
    for record: ConsumedRecord, _ error: PoisonError, attempts: Int = 1, firstFailure: Timestamp? = nil
  ) -> KafkaRecord {
    let now = clock.now()
    func header(_ name: String, _ text: String) -> KafkaHeader { KafkaHeader(name: name, value: Array(text.utf8)) }
    return KafkaRecord(
      topic: Topic.deadLetters.name, key: record.key, value: record.value,
      headers: [
        KafkaHeader(name: HeaderName.traceparent, value: record.trace.child().headerBytes),
        header(HeaderName.contentType, record.text(ofHeader: HeaderName.contentType) ?? "application/json"),
        header(HeaderName.schema, record.text(ofHeader: HeaderName.schema) ?? Topic.deadLetters.schema),
        header(HeaderName.originTopic, record.topic),
        header(HeaderName.originPartition, String(record.partition)),
        header(HeaderName.originOffset, String(record.offset)),
        header(HeaderName.group, group),
        header(HeaderName.attempts, String(attempts)),
        header(HeaderName.errorClass, error.errorClass),
        header(HeaderName.error, String(error.message.prefix(DeadLetterPublisher.errorLimit))),
        header(HeaderName.firstFailure, (firstFailure ?? now).description),
        header(HeaderName.lastFailure, now.description),
      ])
  }

  /// - Throws: `KafkaError` of the first letter that was not acknowledged; none of the origins may be completed then.
  public func publish(_ letters: [KafkaRecord]) async throws {
    try await producer.produceAll(letters)
  }
}
