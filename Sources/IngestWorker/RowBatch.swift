import BSON
import CRMMessaging
import CRMStore

/// Where a row stands in its topic.
struct RowPosition: Sendable, Equatable {
  let job: ObjectID
  let row: Int64
  /// The first row of its batch; nil where rows come once.
  let batch: Int64?
  let partition: Int32
  let offset: Int64

  init(job: ObjectID, row: Int64, batch: Int64? = nil, partition: Int32, offset: Int64) {
    self.job = job
    self.row = row
    self.batch = batch
    self.partition = partition
    self.offset = offset
  }
}

/// Decides which rows of a batch are to be stored, and adds up what became of them. Pure.
struct RowBatch {
  private struct Part: Hashable {
    let job: ObjectID
    let partition: Int32
  }

  /// Indexes of rows that have not been counted yet, in order.
  private(set) var fresh: [Int] = []
  /// Rows that no job waits for.
  private(set) var poison: [(index: Int, error: PoisonError)] = []
  private var advances: [Part: JobAdvance] = [:]
  private let rows: [RowPosition]
  private let progress: [ObjectID: JobProgress]

  /// - Parameter progress: of every job in the batch that exists.
  init(_ rows: [RowPosition], kind: JobKind, progress: [ObjectID: JobProgress]) {
    self.rows = rows
    self.progress = progress
    for (index, row) in rows.enumerated() {
      guard let job = progress[row.job] else {
        poison.append((index, PoisonError("unknown_job", "there is no job \(row.job.hex)")))
        continue
      }
      guard job.kind == kind else {
        poison.append(
          (index, PoisonError("wrong_job", "job \(row.job.hex) imports \(job.kind.rawValue), not \(kind.rawValue)")))
        continue
      }
      let watermark = job.watermarks[row.partition]
      let part = Part(job: row.job, partition: row.partition)
      // A batch that was handed over twice may be in these rows twice.
      let mark = (advances[part]?.to ?? watermark)?.batch
      if let batch = row.batch {
        if mark?.covers(row: row.row, ofBatch: batch) == true { continue }
      } else if watermark?.covers(offset: row.offset, row: row.row) == true {
        continue
      }
      fresh.append(index)
      let first = watermark ?? JobWatermark(offset: row.offset, row: row.row)
      var advance =
        advances[part]
        ?? JobAdvance(job: row.job, partition: row.partition, from: watermark, to: first, counts: JobCounts())
      // The offset follows the newest record even when a topic made anew has begun at 0 again; the row never falls.
      advance.to = JobWatermark(offset: row.offset, row: max(advance.to.row, row.row), batch: mark)
      if let batch = row.batch {
        var counted = mark.flatMap { $0.first == batch ? $0 : nil } ?? JobBatchMark(first: batch)
        counted.insert(row: row.row)
        advance.to.batch = counted
      }
      advances[part] = advance
    }
  }

  /// What is to be counted, and the errors to be kept: none of jobs that have so many already.
  ///
  /// - Parameter outcomes: of the fresh rows, in their order.
  func settled(_ outcomes: [RowOutcome]) -> (advances: [JobAdvance], errors: [(job: ObjectID, error: JobRowError)]) {
    var advances = self.advances
    var errors: [(job: ObjectID, error: JobRowError)] = []
    for (index, outcome) in zip(fresh, outcomes) {
      let row = rows[index]
      let part = Part(job: row.job, partition: row.partition)
      advances[part]?.counts.processed += 1
      switch outcome {
      case .inserted: advances[part]?.counts.inserted += 1
      case .modified: advances[part]?.counts.modified += 1
      case .unchanged: break
      case .rejected(let problems):
        advances[part]?.counts.rejected += 1
        guard (progress[row.job]?.rejected ?? 0) < Store.jobErrorLimit else { continue }
        errors += problems.prefix(JobRowError.limitOfRow).map { (row.job, JobRowError(row: row.row, $0)) }
      }
    }
    return (Array(advances.values), errors)
  }
}
