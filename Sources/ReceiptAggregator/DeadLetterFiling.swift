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
      topic: record.text(ofHeader: HeaderName.originTopic) ?? "unknown",
      partition: record.text(ofHeader: HeaderName.originPartition).flatMap { Int32($0) },
      offset: record.text(ofHeader: HeaderName.originOffset).flatMap { Int64($0) },
      group: record.text(ofHeader: HeaderName.group) ?? "unknown",
      attempts: record.text(ofHeader: HeaderName.attempts).flatMap { Int($0) } ?? 1,
      errorClass: record.text(ofHeader: HeaderName.errorClass) ?? "unknown",
      error: record.text(ofHeader: HeaderName.error) ?? "",
      firstFailure: record.text(ofHeader: HeaderName.firstFailure).flatMap { Timestamp(rfc3339: $0) },
      failedAt: record.text(ofHeader: HeaderName.lastFailure).flatMap { Timestamp(rfc3339: $0) }
        ?? Timestamp(milliseconds: record.timestampMS),
      key: record.key, value: record.value, headers: record.headers.map { ($0.name, $0.value) })
  }

  @Sendable func handle(_ batch: [Incoming<DeadLetter>]) async throws -> BatchOutcome {
    try await store.file(batch.map(\.message))
    return .done
  }
}
