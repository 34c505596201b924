import BSON
import CRMStore
import Mongo
import Testing

@Suite("Import jobs")
struct JobStoreTests {
  private func advance(
    _ job: ObjectID, partition: Int32 = 0, from: JobWatermark? = nil, to: JobWatermark, _ counts: JobCounts
  ) -> JobAdvance {
    JobAdvance(job: job, partition: partition, from: from, to: to, counts: counts)
  }

  @Test("a job is completed by whichever comes last: the last row, or the word that there are no more")
  func completion() async throws {
    let store = try await TestServers.shared.store()
    let rows = JobCounts(processed: 2, inserted: 1, modified: 1)
    let mark = JobWatermark(offset: 1, row: 2)

    let rowsLast = try await store.createJob(.leads)
    #expect(rowsLast.state == .queued)
    try await store.reportRows(rowsLast.id, received: 2)
    #expect(try await store.closeJob(rowsLast.id).state == .queued)
    #expect(try await store.advanceJobs([advance(rowsLast.id, to: mark, rows)]))
    let first = try await store.job(rowsLast.id)
    #expect(first.state == .completed && first.completedAt != nil)
    #expect(first.counts == JobCounts(received: 2, processed: 2, inserted: 1, modified: 1))

    let closedLast = try await store.createJob(.leads)
    try await store.reportRows(closedLast.id, received: 2)
    #expect(try await store.advanceJobs([advance(closedLast.id, to: mark, rows)]))
    #expect(try await store.job(closedLast.id).state == .running)
    #expect(try await store.closeJob(closedLast.id).state == .completed)

    let empty = try await store.createJob(.orders)
    #expect(try await store.closeJob(empty.id).state == .completed)
  }

  @Test("rows that are delivered again are not counted again")
  func countedOnce() async throws {
    let store = try await TestServers.shared.store()
    let job = try await store.createJob(.leads)
    let mark = JobWatermark(offset: 10, row: 7)
    let counted = advance(job.id, to: mark, JobCounts(processed: 3, inserted: 3))
    #expect(try await store.advanceJobs([counted]))
    #expect(try await store.advanceJobs([counted]) == false)
    let other = advance(job.id, partition: 4, to: mark, JobCounts(processed: 1, rejected: 1))
    let next = advance(
      job.id, from: mark, to: JobWatermark(offset: 12, row: 9), JobCounts(processed: 2, modified: 2))
    #expect(try await store.advanceJobs([next, other]))
    #expect(try await store.job(job.id).counts == JobCounts(processed: 6, inserted: 3, modified: 2, rejected: 1))
    let progress = try #require(try await store.jobProgress([job.id, ObjectID()])[job.id])
    #expect(progress.kind == .leads)
    #expect(progress.watermarks == [0: JobWatermark(offset: 12, row: 9), 4: mark])
  }

  @Test("a watermark covers what is old by offset and by row, and nothing else")
  func covering() {
    let mark = JobWatermark(offset: 10, row: 100)
    #expect(mark.covers(offset: 10, row: 100))
    #expect(mark.covers(offset: 3, row: 5))
    #expect(!mark.covers(offset: 3, row: 101), "a topic made anew counts its offsets from 0")
    #expect(!mark.covers(offset: 11, row: 5), "a row that was sent again")
  }

  @Test("errors stored twice are there once, and are read in the order of their rows")
  func errors() async throws {
    let store = try await TestServers.shared.store()
    let job = try await store.createJob(.orders)
    let errors = [100_000, 2, 2, 11].map { row in
      JobRowError(row: row, field: "total", code: "required", message: "is required")
    }
    try await store.addJobErrors(errors.map { (job.id, $0) })
    try await store.addJobErrors(errors.map { (job.id, $0) })
    try await store.addJobErrors([(ObjectID(), errors[0])])
    var rows: [Int64] = []
    var next: String?
    repeat {
      let page = try await store.jobErrors(job.id, after: next, limit: 3)
      rows += page.errors.map(\.row)
      next = page.next
    } while next != nil
    #expect(rows == [2, 2, 11, 100_000])
  }

  @Test("a job whose rows did not all arrive stays failed, and still counts those that did")
  func failure() async throws {
    let store = try await TestServers.shared.store()
    let job = try await store.createJob(.leads)
    try await store.reportRows(
      job.id, received: 2, rejected: 1, errors: [JobRowError(row: 1, field: "name", code: "required", message: "no")])
    let failed = try await store.failJob(job.id, reason: "the client $went away")
    #expect(failed.state == .failed && failed.failure == "the client $went away")
    let rest = advance(job.id, to: JobWatermark(offset: 0, row: 2), JobCounts(processed: 1, inserted: 1))
    #expect(try await store.advanceJobs([rest]))
    let after = try await store.job(job.id)
    #expect(after.state == .failed)
    #expect(after.counts == JobCounts(received: 2, processed: 2, inserted: 1, rejected: 1))
  }

  @Test("the job of a request that was carried out at once is complete from the start")
  func finished() async throws {
    let store = try await TestServers.shared.store()
    let counts = JobCounts(received: 3, processed: 3, inserted: 2, rejected: 1)
    let error = JobRowError(row: 2, field: "emails[0]", code: "invalid_email", message: "is not an address")
    let job = try await store.recordFinishedJob(.leads, counts, errors: [error])
    let read = try await store.job(job.id)
    #expect(read.state == .completed && read.counts == counts && read.completedAt != nil)
    #expect(try await store.jobErrors(job.id, limit: 10).errors == [error])
    await #expect(throws: StoreError.self) { try await store.job(ObjectID()) }
  }
}
