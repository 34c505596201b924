import CRMCore
import CRMMessaging
import CRMStore
import HTTP
import JSON
import Kafka
import Mongo
import Runtime

/// How a bulk request is carried out.
enum BulkMode: String, CaseIterable, Sendable {
  /// The answer tells what became of each row.
  case sync
  /// The answer names a job; the ingest worker stores the rows.
  case async
}

/// The rows of a bulk request, and what became of them. Leads and orders differ in how a row is read and stored.
struct BulkRequest<Input: Sendable>: Sendable {
  static var rowLimit: Int { 10_000 }
  /// Errors after which each further row is listed with its first one only.
  private static var errorsInAll: Int { 20_000 }

  let kind: JobKind
  /// The member that holds the rows: `leads`, `orders`.
  let member: String
  let decode: @Sendable (JSONValue, String) -> Result<Input, ValidationError>
  let store: @Sendable ([Input]) async throws -> [RowOutcome]

  /// The rows as they came. Only what is wrong with the envelope fails the request.
  func rows(of request: APIRequest) async throws -> [JSONValue] {
    try await bulkReaders.run {
      var rows: [JSONValue] = []
      try read(request) { rows.append($1) }
      return rows
    }
  }

  /// Stores the good rows and reports the bad ones.
  func carryOut(_ request: APIRequest) async throws -> BulkSummary {
    let rows = try await bulkReaders.run { try decoded(request) }
    var summary = BulkSummary()
    summary.rejected = rows.bad
    let outcomes = try await store(rows.good)
    for (position, outcome) in zip(rows.positions, outcomes) {
      summary.count(outcome, row: position, path: "\(member)[\(position)]")
    }
    summary.rejected.sort { $0.index < $1.index }
    return summary
  }

  private struct Rows: Sendable {
    var good: [Input] = []
    /// Of the good ones, in the request.
    var positions: [Int] = []
    var bad: [(index: Int, errors: [FieldError])] = []
    private var errorsListed = 0

    /// A body of ten megabytes can have a million errors: nobody reads them, and the answer would be larger than the body.
    mutating func reject(_ index: Int, _ errors: [FieldError], path: String) {
      var listed = Array(errors.prefix(max(1, min(JobRowError.limitOfRow, errorsInAll - errorsListed))))
      errorsListed += listed.count
      if listed.count < errors.count {
        let message = "has \(errors.count - listed.count) more errors"
        listed.append(FieldError(field: path, code: "more_errors", message: message))
      }
      bad.append((index, listed))
    }
  }

  private func decoded(_ request: APIRequest) throws -> Rows {
    var rows = Rows()
    try read(request) { index, row in
      switch decode(row, "\(member)[\(index)]") {
      case .success(let input):
        rows.good.append(input)
        rows.positions.append(index)
      case .failure(let error): rows.reject(index, error.errors, path: "\(member)[\(index)]")
      }
    }
    return rows
  }

  private func read(_ request: APIRequest, _ body: (_ index: Int, JSONValue) -> Void) throws {
    let (envelope, handedOver) = try request.json(elementsOf: member, atMost: Self.rowLimit, body)
    var reader = ObjectReader(envelope)
    if !handedOver { _ = reader.array(member, required: true, count: 0...Self.rowLimit) }
    if let error = ValidationError(reader.finish()) { throw error }
  }
}

/// Reads bodies of thousands of rows, which takes long enough to keep others waiting on Swift's own threads.
private let bulkReaders = BlockingPool(name: "bulk-read", threads: 2)

/// What became of the rows of a bulk request.
struct BulkSummary: Sendable {
  var inserted = 0
  var modified = 0
  /// Rows whose document existed, changed or not.
  var matched = 0
  var rejected: [(index: Int, errors: [FieldError])] = []

  var accepted: Int { inserted + matched }

  mutating func count(_ outcome: RowOutcome, row: Int, path: @autoclosure () -> String) {
    switch outcome {
    case .inserted: inserted += 1
    case .modified:
      modified += 1
      matched += 1
    case .unchanged: matched += 1
    case .rejected(let errors):
      let path = path()
      let placed = errors.map { FieldError(field: "\(path).\($0.field)", code: $0.code, message: $0.message) }
      rejected.append((row, placed))
    }
  }

  var counts: JobCounts {
    let received = Int64(accepted + rejected.count)
    return JobCounts(
      received: received, processed: received, inserted: Int64(inserted), modified: Int64(modified),
      rejected: Int64(rejected.count))
  }

  var rowErrors: [JobRowError] {
    rejected.flatMap { row in row.errors.map { JobRowError(row: Int64(row.index + 1), $0) } }
  }

  func response(jobID: String) -> HTTPResponse {
    .data(capacity: 256 + 256 * rejected.count) { writer in
      writer.beginObject()
      writer.field("accepted", accepted)
      writer.field("inserted", inserted)
      writer.field("modified", modified)
      writer.field("matched", matched)
      writer.key("rejected")
      writer.beginArray()
      for row in rejected {
        writer.beginObject()
        writer.field("index", row.index)
        writer.field("errors", row.errors)
        writer.endObject()
      }
      writer.endArray()
      writer.field("jobId", jobID)
      writer.endObject()
    }
  }
}
