import BSON
import CRMCore
import CRMMessaging
import CRMStore
import HTTP
import JSON
import Kafka
import Mongo

/// Answers `POST …/bulk`, for leads and orders alike.
struct BulkHandler<Input: Sendable>: Sendable {
  /// Records handed to the producer at once.
  private static var produceSlice: Int { 1000 }

  let bulk: BulkRequest<Input>
  let recordKind: IngestRecord.Kind
  let store: Store
  let producer: KafkaProducer

  func handle(_ request: APIRequest) async throws -> HTTPResponse {
    var query = request.query
    let mode: BulkMode = query.choice("mode") ?? .sync
    try query.finish()
    switch mode {
    case .sync: return try await storeNow(request)
    case .async: return try await handOver(try await bulk.rows(of: request), request)
    }
  }

  private func storeNow(_ request: APIRequest) async throws -> HTTPResponse {
    let summary = try await bulk.carryOut(request)
    do {
      _ = try await store.recordFinishedJob(
        bulk.kind, summary.counts, errors: summary.rowErrors, id: request.effectID)
    } catch let error as MongoError where error.kind == .duplicateKey && request.isRetry {
      // The attempt before this one got as far as here.
    }
    return summary.response(jobID: request.effectID.hex)
  }

  /// Publishes the rows under a job and answers when the broker has acknowledged all of them. Rows that no record can hold
  /// are errors of the job.
  private func handOver(_ rows: [JSONValue], _ request: APIRequest) async throws -> HTTPResponse {
    let jobID = try await startJob(request)
    try await store.reportRows(jobID, received: Int64(rows.count))
    do {
      for start in stride(from: 0, to: rows.count, by: Self.produceSlice) {
        var records: [KafkaRecord] = []
        var errors: [JobRowError] = []
        for index in start..<min(start + Self.produceSlice, rows.count) {
          let row = IngestRecord(kind: recordKind, jobID: jobID, row: Int64(index + 1), content: rows[index])
          do throws(ValidationError) {
            records.append(try row.record(trace: request.trace))
          } catch {
            errors += error.errors.map { JobRowError(row: row.row, $0) }
          }
        }
        if !errors.isEmpty {
          try await store.reportRows(jobID, received: 0, rejected: Int64(errors.count), errors: errors)
        }
        try await producer.produceAll(records)
      }
    } catch {
      try await store.failJob(jobID, reason: "not all rows could be handed over: \(error)")
      throw error
    }
    return .accepted(try await store.closeJob(jobID))
  }

  /// A repetition after a crash cannot know which rows went out: it hands all of them over under a job of its own, which
  /// changes nothing for rows that are stored already.
  private func startJob(_ request: APIRequest) async throws -> ObjectID {
    guard request.isRetry else { return try await store.createJob(bulk.kind, id: request.effectID).id }
    do {
      try await store.failJob(request.effectID, reason: "the request was repeated under another job")
    } catch StoreError.notFound {
      return try await store.createJob(bulk.kind, id: request.effectID).id
    }
    return try await store.createJob(bulk.kind).id
  }
}
