import CRMCore
import CRMMessaging
import CRMStore
import HTTP
import JSON
import Kafka
import Mongo

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
  /// Rows read by one task: enough to be worth it, few enough to use every processor.
  private static var slice: Int { 1000 }

  let kind: JobKind
  /// The member that holds the rows: `leads`, `orders`.
  let member: String
  let decode: @Sendable (JSONValue, String) -> Result<Input, ValidationError>
  let store: @Sendable ([Input]) async throws -> [RowOutcome]

  /// Reads the envelope: only what is wrong with it fails the request.
  func rows(of request: APIRequest) throws -> [JSONValue] {
    var reader = ObjectReader(try request.json())
    let rows = reader.array(member, required: true, count: 1...Self.rowLimit)
    if let error = ValidationError(reader.finish()) { throw error }
    return rows ?? []
  }

  /// Stores the good rows and reports the bad ones.
  func carryOut(_ rows: [JSONValue]) async throws -> BulkSummary {
    let decoded = await decodeAll(rows)
    var good: [Input] = []
    var positions: [Int] = []
    good.reserveCapacity(rows.count)
    positions.reserveCapacity(rows.count)
    var summary = BulkSummary()
    for (index, row) in decoded.enumerated() {
      switch row {
      case .success(let input):
        good.append(input)
        positions.append(index)
      case .failure(let error): summary.rejected.append((index, error.errors))
      }
    }
    let outcomes = try await store(good)
    for (position, outcome) in zip(positions, outcomes) {
      summary.count(outcome, row: position, path: "\(member)[\(position)]")
    }
    summary.rejected.sort { $0.index < $1.index }
    return summary
  }

  private func decodeAll(_ rows: [JSONValue]) async -> [Result<Input, ValidationError>] {
    await withTaskGroup(of: (start: Int, inputs: [Result<Input, ValidationError>]).self) { group in
      for start in stride(from: 0, to: rows.count, by: Self.slice) {
        group.addTask {
          (start, (start..<min(start + Self.slice, rows.count)).map { decode(rows[$0], "\(member)[\($0)]") })
        }
      }
      var slices: [(start: Int, inputs: [Result<Input, ValidationError>])] = []
      for await slice in group { slices.append(slice) }
      return slices.sorted { $0.start < $1.start }.flatMap(\.inputs)
    }
  }
}

/// What became of the rows of a bulk request.
struct BulkSummary: Sendable {
  var inserted = 0
  var modified = 0
  /// Rows whose document existed, changed or not.
  var matched = 0
  var rejected: [(index: Int, errors: [FieldError])] = []

  var accepted: Int { inserted + matched }

  mutating func count(_ outcome: RowOutcome, row: Int, path: String) {
    switch outcome {
    case .inserted: inserted += 1
    case .modified:
      modified += 1
      matched += 1
    case .unchanged: matched += 1
    case .rejected(let errors):
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
