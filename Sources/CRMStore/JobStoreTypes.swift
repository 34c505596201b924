import BSON
import CRMCore
import CivilTime
import JSON

/// What an import job imports.
public enum JobKind: String, Sendable, CaseIterable {
  case leads
  case orders
}

/// How far an import job is.
public enum JobState: String, Sendable, CaseIterable {
  /// No row has been stored yet.
  case queued
  case running
  /// Every row received has been stored or rejected.
  case completed
  /// The rows did not all arrive; those that did are stored all the same.
  case failed

  public var isFinal: Bool { self == .completed || self == .failed }
}

/// Rows of a job by what became of them.
public struct JobCounts: Sendable, Equatable {
  /// Rows that were read from the client, good and bad.
  public var received: Int64 = 0
  /// Rows that are done: stored, unchanged or rejected.
  public var processed: Int64 = 0
  public var inserted: Int64 = 0
  /// Rows whose document existed and in which a value changed.
  public var modified: Int64 = 0
  public var rejected: Int64 = 0

  public init(
    received: Int64 = 0, processed: Int64 = 0, inserted: Int64 = 0, modified: Int64 = 0, rejected: Int64 = 0
  ) {
    self.received = received
    self.processed = processed
    self.inserted = inserted
    self.modified = modified
    self.rejected = rejected
  }
}

/// An import of leads or orders, as `GET /api/v1/jobs/:id` shows it.
public struct Job: Sendable, Equatable {
  public var id: ObjectID
  public var kind: JobKind
  public var state: JobState
  public var counts: JobCounts
  /// Why it failed; nil unless `state` is `failed`.
  public var failure: String?
  public var createdAt: Timestamp
  public var updatedAt: Timestamp
  public var completedAt: Timestamp?

  /// - Throws: `DocumentError` when the document is not a job.
  init(bson: BSONDocument) throws {
    guard let id = bson["_id"]?.objectIDValue,
      let kind = bson["kind"]?.stringValue.flatMap(JobKind.init(rawValue:)),
      let state = bson["state"]?.stringValue.flatMap(JobState.init(rawValue:)),
      let createdAt = bson["created_at"]?.dateMilliseconds
    else { throw DocumentError(collection: Collections.jobs, document: bson) }
    func count(_ key: String) -> Int64 { bson[key]?.int64Value ?? 0 }
    self.id = id
    self.kind = kind
    self.state = state
    counts = JobCounts(
      received: count("received"), processed: count("processed"), inserted: count("inserted"),
      modified: count("modified"), rejected: count("rejected"))
    failure = bson["failure"]?.stringValue
    self.createdAt = Timestamp(milliseconds: createdAt)
    updatedAt = Timestamp(milliseconds: bson["updated_at"]?.dateMilliseconds ?? createdAt)
    completedAt = bson["completed_at"]?.dateMilliseconds.map { Timestamp(milliseconds: $0) }
  }

  /// The job as the API shows it.
  public var jsonValue: JSONValue {
    var object: JSONObject = [
      "_id": .string(id.hex), "kind": .string(kind.rawValue), "state": .string(state.rawValue),
      "received": .int(counts.received), "processed": .int(counts.processed), "inserted": .int(counts.inserted),
      "modified": .int(counts.modified), "rejected": .int(counts.rejected),
      "created_at": .string(createdAt.description), "updated_at": .string(updatedAt.description),
    ]
    if let completedAt { object["completed_at"] = .string(completedAt.description) }
    if let failure { object["failure"] = .string(failure) }
    return .object(object)
  }
}

/// One thing that is wrong with a row of an import: a line of `GET /api/v1/jobs/:id/errors`.
public struct JobRowError: Sendable, Equatable {
  /// How many are told of one row at most.
  public static let limitOfRow = 200

  /// From 1: the first element of a bulk request, the line below a CSV's header.
  public var row: Int64
  public var field: String
  public var code: String
  public var message: String

  public init(row: Int64, field: String, code: String, message: String) {
    self.row = row
    self.field = field
    self.code = code
    self.message = message
  }

  public init(row: Int64, _ error: FieldError) {
    self.init(row: row, field: error.field, code: error.code, message: error.message)
  }
}
