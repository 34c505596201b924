import CRMMessaging
import CRMStore
import CivilTime
import Kafka

/// Files the dead letters of every consumer, so that people can find, replay and discard them.
struct DeadLetterFiling: Sendable {
  let store: Store

  /// Never poison: what a letter does not say is left out, so that no dead letter makes another one.
  @Sendable static func decode(_ record: ConsumedRecord) throws(PoisonError) -> DeadLetter {
    DeadLetter(
      letterPartition: record.partition, letterOffset: record.offset,
      topic: record.header(HeaderName.originTopic) ?? "unknown",
      partition: record.header(HeaderName.originPartition).flatMap { Int32($0) },
      offset: record.header(HeaderName.originOffset).flatMap { Int64($0) },
      group: record.header(HeaderName.group) ?? "unknown",
      attempts: record.header(HeaderName.attempts).flatMap { Int($0) } ?? 1,
      errorClass: record.header(HeaderName.errorClass) ?? "unknown", error: record.header(HeaderName.error) ?? "",
      firstFailure: record.header(HeaderName.firstFailure).flatMap { Timestamp(rfc3339: $0) },
      failedAt: record.header(HeaderName.lastFailure).flatMap { Timestamp(rfc3339: $0) }
        ?? Timestamp(milliseconds: record.timestampMS),
      key: record.key, value: record.value, headers: record.headers.map { ($0.name, $0.value) })
  }

  @Sendable func handle(_ batch: [Incoming<DeadLetter>]) async throws -> BatchOutcome {
    try await store.file(batch.map(\.message))
    return .done
  }
}
