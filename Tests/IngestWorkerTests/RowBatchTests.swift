import BSON
import CRMCore
import CRMStore
import Testing

@testable import IngestWorker

/// Which rows of a batch are stored and counted, when some come again.
@Suite struct RowBatchTests {
  private static let job = ObjectID()

  private func row(_ row: Int64, batch: Int64?, offset: Int64, partition: Int32 = 0) -> RowPosition {
    RowPosition(job: Self.job, row: row, batch: batch, partition: partition, offset: offset)
  }

  /// Counts rows in worker's batches, each time from what was stored the time before.
  private func count(_ batches: [[RowPosition]]) -> (fresh: [[Int64]], counts: JobCounts) {
    var progress = JobProgress(kind: .leads, watermarks: [:])
    var fresh: [[Int64]] = []
    var counts = JobCounts()
    for rows in batches {
      let plan = RowBatch(rows, kind: .leads, progress: [Self.job: progress])
      fresh.append(plan.fresh.map { rows[$0].row })
      for advance in plan.settled(plan.fresh.map { _ in .inserted }).advances {
        #expect(advance.from == progress.watermarks[advance.partition])
        progress.watermarks[advance.partition] = advance.to
        counts.processed += advance.counts.processed
      }
    }
    return (fresh, counts)
  }

  @Test func aBatchThatIsHandedOverAgainCountsOnce() {
    // The first time rows 1, 2 and 4 got through; the second time all four.
    let again = [
      row(1, batch: 1, offset: 3), row(2, batch: 1, offset: 4), row(3, batch: 1, offset: 5),
      row(4, batch: 1, offset: 6),
    ]
    let first = [row(1, batch: 1, offset: 0), row(2, batch: 1, offset: 1), row(4, batch: 1, offset: 2)]
    #expect(count([first, again]).fresh == [[1, 2, 4], [3]])
    #expect(count([first + again]).fresh == [[1, 2, 4, 3]])
    #expect(count([first, again, again]).counts.processed == 4)
  }

  @Test func rowsOfAnOlderBatchHaveBeenCounted() {
    let rows = [row(1, batch: 1, offset: 0), row(5, batch: 5, offset: 1)]
    let late = [row(1, batch: 1, offset: 2), row(2, batch: 1, offset: 3), row(6, batch: 5, offset: 4)]
    #expect(count([rows, late]).fresh == [[1, 5], [6]])
  }

  @Test func aRedeliveryOfBatchesIsPassedOver() {
    let rows = (1...20).map { row(Int64($0), batch: $0 <= 10 ? 1 : 11, offset: Int64($0)) }
    let result = count([Array(rows[..<7]), rows, rows])
    #expect(result.fresh == [(1...7).map { $0 }, (8...20).map { $0 }, []] && result.counts.processed == 20)
  }

  @Test func partitionsAreCountedEachForItself() {
    let rows = [row(1, batch: 1, offset: 0), row(2, batch: 1, offset: 0, partition: 1)]
    #expect(count([rows, rows]).fresh == [[1, 2], []])
  }

  @Test func rowsWithoutABatchGoByOffsetAndRow() {
    let rows = [row(3, batch: nil, offset: 7), row(4, batch: nil, offset: 8)]
    #expect(count([rows, rows, [row(4, batch: nil, offset: 9)]]).fresh == [[3, 4], [], [4]])
  }

  @Test func whatIsWrongBeyondTheLimitIsCountedAndNotKept() {
    let error = FieldError(field: "name", code: "required", message: "is required")
    for (rejected, kept) in [(Int64(0), 1), (Store.jobErrorLimit, 0)] {
      let progress = JobProgress(kind: .leads, rejected: rejected, watermarks: [:])
      let plan = RowBatch([row(1, batch: 1, offset: 0)], kind: .leads, progress: [Self.job: progress])
      let settled = plan.settled([.rejected([error])])
      #expect(settled.errors.count == kept && settled.advances.first?.counts.rejected == 1)
    }
  }
}
