import CRMMessaging
import CRMStore
import JSON
import Kafka

/// Stores a batch of rows and counts them in their jobs, once however often their records are delivered.
///
/// The rows come first, then their errors, then the counts with the watermark that covers them: a crash in between
/// makes the rows come again, where storing changes nothing and the errors are there already. A lead that a row made before the
/// crash is known by its id and counts as inserted all the same; what a row only changed counts as processed, and no longer as
/// modified.
struct IngestHandler: Sendable {
  /// Another worker has counted some of these rows; the batch is looked at anew.
  struct Overtaken: Error, CustomStringConvertible {
    var description: String { "another worker, to which a partition moved, has counted rows of this batch" }
  }

  let kind: IngestRecord.Kind
  private let progress: Store
  private let rows: any RowStore

  init(_ kind: IngestRecord.Kind, progress: Store, rows: any RowStore) {
    self.kind = kind
    self.progress = progress
    self.rows = rows
  }

  @Sendable func decode(_ record: ConsumedRecord) throws(PoisonError) -> IngestRecord {
    try IngestRecord.decode(record.value, kind: kind)
  }

  @Sendable func handle(_ batch: [Incoming<IngestRecord>]) async throws -> BatchOutcome {
    let positions = batch.map {
      RowPosition(
        job: $0.message.jobID, row: $0.message.row, batch: $0.message.batch, partition: $0.record.partition,
        offset: $0.record.offset)
    }
    let jobs = try await progress.jobProgress(Set(positions.map(\.job)))
    let plan = RowBatch(positions, kind: kind == .lead ? .leads : .orders, progress: jobs)
    let outcomes = try await rows.store(plan.fresh.map { batch[$0].message })
    let settled = plan.settled(outcomes)
    try await progress.addJobErrors(settled.errors)
    guard try await progress.advanceJobs(settled.advances) else { throw Overtaken() }
    return BatchOutcome(poison: plan.poison)
  }
}
