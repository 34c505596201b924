import BSON
import CivilTime
import Mongo

/// Import jobs. A job's life has two sides, which may overlap in time:
///
/// - the gateway reads rows and hands them over: `createJob` → `reportRows` (any number of times) → `closeJob`, or
///   `failJob` when the client broke off; a synchronous bulk request writes its job at once with `recordFinishedJob`;
/// - the ingest worker stores rows and counts them: `jobProgress`, `addJobErrors`, `advanceJobs`.
///
/// The job is completed by whichever side comes last: it is closed, and as many rows are processed as were received.
extension Store {
  /// Starts a job, `queued` and open for rows.
  public func createJob(_ kind: JobKind, id: ObjectID = ObjectID()) async throws -> Job {
    let now = clock.now()
    let document = Store.jobDocument(id, kind, .queued, JobCounts(), open: true, now)
    try await mongo.withConnection { try $0.insertOne(Collections.jobs, document) }
    return try Job(bson: document)
  }

  /// Writes the job of a request that was carried out as a whole, and the errors of its rejected rows.
  public func recordFinishedJob(
    _ kind: JobKind, _ counts: JobCounts, errors: [JobRowError], id: ObjectID = ObjectID()
  ) async throws -> Job {
    let now = clock.now()
    var document = Store.jobDocument(id, kind, .completed, counts, open: false, now)
    document.appendDate("completed_at", milliseconds: now.milliseconds)
    let job = document
    let rows = Store.errorDocuments(id, errors, now)
    try await mongo.withConnection { connection in
      if !rows.isEmpty { try Store.insertErrors(rows, connection) }
      try connection.insertOne(Collections.jobs, job)
    }
    return try Job(bson: document)
  }

  /// Counts rows that the gateway has read, of which it rejected some itself. Rows that it hands over are counted as
  /// processed by the worker.
  ///
  /// - Parameter errors: of the rejected rows; a row may have several.
  public func reportRows(_ job: ObjectID, received: Int64, rejected: Int64 = 0, errors: [JobRowError] = []) async throws
  {
    let now = clock.now()
    let rows = Store.errorDocuments(job, errors, now)
    try await mongo.withConnection { connection in
      if !rows.isEmpty { try Store.insertErrors(rows, connection) }
      _ = try connection.updateOne(
        Collections.jobs, ["_id": .objectID(job)],
        [
          "$inc": ["received": .int64(received), "processed": .int64(rejected), "rejected": .int64(rejected)],
          "$set": ["updated_at": .date(milliseconds: now.milliseconds)],
        ])
    }
  }

  /// Says that all rows have been read and handed over. A job with nothing outstanding is completed by this.
  ///
  /// - Throws: `StoreError.notFound`.
  @discardableResult
  public func closeJob(_ job: ObjectID) async throws -> Job {
    try await change(job, ["open": false])
  }

  /// Says that the rows did not all arrive. Rows that were handed over are still stored and counted.
  ///
  /// - Throws: `StoreError.notFound`.
  @discardableResult
  public func failJob(_ job: ObjectID, reason: String) async throws -> Job {
    try await change(
      job,
      [
        "open": false, "state": .string(JobState.failed.rawValue), "failure": ["$literal": .string(reason)],
        "completed_at": .date(milliseconds: clock.now().milliseconds),
      ])
  }

  /// - Throws: `StoreError.notFound`; jobs are kept for 30 days.
  public func job(_ id: ObjectID) async throws -> Job {
    let document = try await mongo.withConnection { try $0.findOne(Collections.jobs, ["_id": .objectID(id)]) }
    guard let document else { throw StoreError.notFound(what: "job", id: id.hex) }
    return Store.noteSilence(try Job(bson: document), document, at: clock.now())
  }

  private func change(_ job: ObjectID, _ fields: BSONDocument) async throws -> Job {
    let now = clock.now()
    let document = try await mongo.withConnection { connection in
      try connection.findAndModify(
        Collections.jobs, ["_id": .objectID(job)],
        pipeline: [["$set": .document(fields)], Store.settleJob(at: now)], returnNew: true)
    }
    guard let document else { throw StoreError.notFound(what: "job", id: job.hex) }
    return try Job(bson: document)
  }

  /// The pipeline stage after every change: the state that follows from the counts.
  static func settleJob(at now: Timestamp) -> BSONDocument {
    let done: BSONValue = [
      "$and": [
        ["$eq": ["$open", false]], ["$gte": ["$processed", "$received"]],
        ["$in": ["$state", [.string(JobState.queued.rawValue), .string(JobState.running.rawValue)]]],
      ]
    ]
    let begun: BSONValue = [
      "$and": [["$eq": ["$state", .string(JobState.queued.rawValue)]], ["$gt": ["$processed", 0]]]
    ]
    return [
      "$set": [
        "state": [
          "$switch": [
            "branches": [
              ["case": done, "then": .string(JobState.completed.rawValue)],
              ["case": begun, "then": .string(JobState.running.rawValue)],
            ],
            "default": "$state",
          ]
        ],
        "completed_at": ["$cond": [done, .date(milliseconds: now.milliseconds), "$completed_at"]],
        "updated_at": .date(milliseconds: now.milliseconds),
      ]
    ]
  }

  static func jobDocument(
    _ id: ObjectID, _ kind: JobKind, _ state: JobState, _ counts: JobCounts, open: Bool, _ now: Timestamp
  ) -> BSONDocument {
    var document = BSONDocument()
    document.append("_id", id)
    document.append("kind", kind.rawValue)
    document.append("state", state.rawValue)
    document.append("open", open)
    document.append("received", counts.received)
    document.append("processed", counts.processed)
    document.append("inserted", counts.inserted)
    document.append("modified", counts.modified)
    document.append("rejected", counts.rejected)
    document.append("progress", document: BSONDocument())
    document.appendDate("created_at", milliseconds: now.milliseconds)
    document.appendDate("updated_at", milliseconds: now.milliseconds)
    return document
  }
}
