import BSON
import CRMCore
import CivilTime
import Mongo

/// A place in an uploaded file: so many rows, and a digest over the header and all of them.
public struct UploadMark: Sendable, Equatable {
  public var rows: Int64
  public var digest: [UInt8]

  public init(rows: Int64, digest: [UInt8]) {
    self.rows = rows
    self.digest = digest
  }

  init?(bson: BSONValue?) {
    guard let rows = bson?["rows"]?.int64Value, let digest = bson?["digest"]?.binaryValue else { return nil }
    self.init(rows: rows, digest: digest)
  }

  var bson: BSONDocument {
    var document = BSONDocument()
    document.append("rows", rows)
    document.append("digest", binary: digest)
    return document
  }
}

/// The exclusive right to go on with the upload of a job's file. Whoever takes it over ends the right of the one before: its
/// next step is refused.
public struct UploadTicket: Sendable {
  public let job: ObjectID
  let owner: ObjectID
  /// The rows that are all handed over.
  public let accepted: UploadMark
  /// Where the batch ends that was being handed over when the upload broke off: some of its rows may be at the broker, and
  /// all of them are counted as received.
  public let inFlight: UploadMark?
  /// The whole file has been handed over before.
  public let isComplete: Bool
  /// Rows rejected so far.
  public let rejected: Int64
}

/// Another request goes on with this upload.
public struct UploadTakenOver: Error {}

/// Uploads of files, row by row, into jobs: `beginUpload` → `beginBatch` (any number of times) → `completeUpload`, or
/// `breakOffUpload`, after which `beginUpload` goes on. `docs/adr/0027-import-protocol.md` says why so.
extension Store {
  /// How long an upload that is silent counts as going on, when jobs are shown.
  private static let uploadPatience = Duration.seconds(60)

  /// Starts the job of an upload, or goes on with it.
  ///
  /// - Parameter header: the digest of the file's header.
  /// - Throws: `StoreError.notFound` when the job is no upload of leads.
  public func beginUpload(_ job: ObjectID, header: [UInt8]) async throws -> UploadTicket {
    let now = clock.now()
    let owner = ObjectID()
    var upload = BSONDocument()
    upload.append("owner", owner)
    upload.append("accepted", document: UploadMark(rows: 0, digest: header).bson)
    upload.append("complete", false)
    upload.appendDate("until", milliseconds: now.advanced(by: Store.uploadPatience).milliseconds)
    var fresh = Store.jobDocument(job, .leads, .queued, JobCounts(), open: true, now)
    fresh.append("upload", document: upload)
    let made = fresh
    return try await mongo.withConnection { connection in
      do {
        try connection.insertOne(Collections.jobs, made)
        return try UploadTicket(bson: made, owner: owner)
      } catch let error as MongoError where error.isDuplicateKey {
        // An earlier attempt made it.
      }
      let taken = try connection.findAndModify(
        Collections.jobs, ["_id": .objectID(job), "upload.complete": false],
        pipeline: [
          [
            "$set": [
              "open": true, "upload.owner": .objectID(owner), "failure": "$$REMOVE", "completed_at": "$$REMOVE",
              "upload.until": .date(milliseconds: now.advanced(by: Store.uploadPatience).milliseconds),
              "updated_at": .date(milliseconds: now.milliseconds),
              "state": [
                "$cond": [
                  ["$gt": ["$processed", 0]], .string(JobState.running.rawValue), .string(JobState.queued.rawValue),
                ]
              ],
            ]
          ]
        ], returnNew: true)
      if let taken { return try UploadTicket(bson: taken, owner: owner) }
      guard let known = try connection.findOne(Collections.jobs, ["_id": .objectID(job)]), known["upload"] != nil else {
        throw StoreError.notFound(what: "upload", id: job.hex)
      }
      return try UploadTicket(bson: known, owner: owner)
    }
  }

  /// Says that all rows up to `accepted` are at the broker, and that those up to `end` are about to be handed over. Rows and
  /// rejections of the new batch are counted in the same step.
  ///
  /// - Parameter errors: of the rows that are rejected; stored before.
  /// - Returns: what the job counts now.
  /// - Throws: `UploadTakenOver`.
  public func beginBatch(
    _ ticket: UploadTicket, accepted: UploadMark, end: UploadMark, rejected: Int64, errors: [JobRowError]
  ) async throws -> JobCounts {
    let now = clock.now()
    let rows = Store.errorDocuments(ticket.job, errors, now)
    let document = try await mongo.withConnection { connection in
      if !rows.isEmpty { try Store.insertErrors(rows, connection) }
      return try connection.findAndModify(
        Collections.jobs, ticket.filter,
        update: [
          "$set": [
            "upload.accepted": .document(accepted.bson), "upload.in_flight": .document(end.bson),
            "upload.until": .date(milliseconds: now.advanced(by: Store.uploadPatience).milliseconds),
            "updated_at": .date(milliseconds: now.milliseconds),
          ],
          "$inc": [
            "received": .int64(end.rows - accepted.rows), "processed": .int64(rejected), "rejected": .int64(rejected),
          ],
        ], returnNew: true)
    }
    guard let document else { throw UploadTakenOver() }
    return try Job(bson: document).counts
  }

  /// Says that the file has been handed over to its end. A job with nothing outstanding is completed by this.
  ///
  /// - Throws: `UploadTakenOver`.
  public func completeUpload(_ ticket: UploadTicket, at end: UploadMark) async throws -> Job {
    let now = clock.now()
    let document = try await mongo.withConnection { connection in
      try connection.findAndModify(
        Collections.jobs, ticket.filter,
        pipeline: [
          [
            "$set": [
              "open": false, "upload.accepted": .document(end.bson), "upload.in_flight": "$$REMOVE",
              "upload.complete": true,
            ]
          ],
          Store.settleJob(at: now),
        ], returnNew: true)
    }
    guard let document else { throw UploadTakenOver() }
    return try Job(bson: document)
  }

  /// Says that the upload ended before its file did. What was handed over is still stored and counted. Nothing happens when
  /// another request goes on with it.
  public func breakOffUpload(_ ticket: UploadTicket, reason: String) async throws {
    let now = clock.now()
    _ = try await mongo.withConnection { connection in
      try connection.updateOne(
        Collections.jobs, ticket.filter,
        [
          "$set": [
            "open": false, "state": .string(JobState.failed.rawValue), "failure": .string(reason),
            "completed_at": .date(milliseconds: now.milliseconds), "updated_at": .date(milliseconds: now.milliseconds),
          ]
        ])
    }
  }

  /// What a job looks like whose gateway died in the middle of an upload: nobody has written that down.
  static func noteSilence(_ job: Job, _ document: BSONDocument, at now: Timestamp) -> Job {
    guard document["open"]?.boolValue == true, let until = document["upload"]?["until"]?.dateMilliseconds,
      until < now.milliseconds
    else { return job }
    var job = job
    job.state = .failed
    job.failure = "the upload broke off without a word; \(Store.resumption)"
    return job
  }

  /// How to go on with an upload, for people.
  public static let resumption = "send the same file again under the same Idempotency-Key to go on"
}

extension UploadTicket {
  fileprivate init(bson: BSONDocument, owner: ObjectID) throws {
    guard let id = bson["_id"]?.objectIDValue, let accepted = UploadMark(bson: bson["upload"]?["accepted"]),
      let isComplete = bson["upload"]?["complete"]?.boolValue
    else { throw DocumentError(collection: Collections.jobs, document: bson) }
    self.init(
      job: id, owner: owner, accepted: accepted, inFlight: UploadMark(bson: bson["upload"]?["in_flight"]),
      isComplete: isComplete, rejected: bson["rejected"]?.int64Value ?? 0)
  }

  fileprivate var filter: BSONDocument {
    ["_id": .objectID(job), "upload.owner": .objectID(owner), "upload.complete": false]
  }
}
