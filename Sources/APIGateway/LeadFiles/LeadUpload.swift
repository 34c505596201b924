import BSON
import CRMCore
import CRMMessaging
import CRMStore
import CSV
import Crypto
import JSON
import Kafka
import Runtime

/// Hands the rows of a file over to the ingest worker, batch by batch, while the file arrives.
///
/// Each batch is written into the job, with a digest of the file up to its end, before its first row is published, and the
/// next one is begun when the broker has all of it. A file that comes again is compared with these digests: batches that were
/// accepted are passed over, the one that was in flight is published again (the worker counts its rows once), and the rest
/// follows. `docs/adr/0027-import-protocol.md` tells the whole.
struct LeadUpload: Sendable {
  /// A batch ends with the row that reaches one of these. They decide where batches lie: another value makes files that are
  /// half uploaded unknown.
  private static let batchRows = Int(IngestRecord.largestBatch)
  private static let batchBytes = 1 << 20
  /// What may wait for the worker; a broker in memory holds no more than so much for certain.
  private static let waitingRows: Int64 = 50_000
  private static let waitingBytes: Int64 = 32 << 20
  /// How long the worker may do nothing while so much waits for it.
  private static let patience = Duration.seconds(20)
  private static let errorsOfRow = 20

  let job: ObjectID
  let trace: TraceContext
  let mappings: [String]
  let ignored: [String]
  let store: Store
  /// Hands records to the broker; returns when it has all of them.
  let send: @Sendable ([KafkaRecord]) async throws -> Void
  /// Called now and then while the upload goes on.
  let keep: @Sendable () async throws -> Void

  private var reader: CSVReader
  private var header: LeadHeader?
  private var ticket: UploadTicket?
  /// The file up to the last complete batch.
  private var end = UploadMark(rows: 0, digest: [])
  private var batch = Batch()
  private var publishing: Task<Void, any Error>?
  private var bytesHandedOver: Int64 = 0
  private var rowsHandedOver: Int64 = 0
  private var rejected: Int64 = 0

  /// Rows that are not handed over yet.
  private struct Batch {
    var rows = 0
    /// What the digest is made of.
    var identity: [UInt8] = []
    var records: [KafkaRecord] = []
    var rejected: Int64 = 0
    var errors: [JobRowError] = []
  }

  init(
    job: ObjectID, trace: TraceContext, mappings: [String], ignored: [String], encoding: CSVEncoding?, store: Store,
    keep: @escaping @Sendable () async throws -> Void = {},
    send: @escaping @Sendable ([KafkaRecord]) async throws -> Void
  ) {
    self.job = job
    self.trace = trace
    self.mappings = mappings
    self.ignored = ignored
    self.store = store
    self.keep = keep
    self.send = send
    reader = CSVReader(encoding: encoding)
  }

  /// Reads the file to its end.
  ///
  /// - Returns: the job, and whether the file had been handed over before.
  /// - Throws: `ValidationError` while nothing has been made; afterwards whatever stops the upload, with the job marked as
  ///   broken off.
  mutating func run<Body: AsyncSequence>(_ body: Body) async throws -> (job: Job, isRepeated: Bool)
  where Body.Element == [UInt8] {
    do {
      for try await chunk in body {
        var offset = 0
        while try next(chunk, &offset) { try await take() }
        if header == nil, reader.header != nil { try await begin() }
      }
      if try finish() { try await take() }
      if header == nil { try await begin() }
      return try await complete()
    } catch {
      publishing?.cancel()
      _ = await publishing?.result
      if let ticket { await breakOff(ticket, error) }
      throw error
    }
  }

  /// The id of the job that has been made, if there is one.
  var madeJob: ObjectID? { ticket?.job }

  // MARK: Reading

  private mutating func next(_ chunk: [UInt8], _ offset: inout Int) throws -> Bool {
    do throws(CSVError) { return try reader.next(chunk, from: &offset) } catch { throw unreadable(error) }
  }

  private mutating func finish() throws -> Bool {
    do throws(CSVError) { return try reader.finish() } catch { throw unreadable(error) }
  }

  private func unreadable(_ error: CSVError) -> ValidationError {
    ValidationError(
      field: reader.header == nil ? "header" : "row \(reader.row + 1)", code: error.code, message: "\(error)")
  }

  private mutating func begin() async throws {
    let names = reader.header ?? []
    header = try LeadHeader(names, mappings: mappings, ignored: ignored)
    let digest = SHA256.digest(Array(names.joined(separator: "\u{1F}").utf8))
    let ticket = try await store.beginUpload(job, header: digest)
    self.ticket = ticket
    rejected = ticket.rejected
    end = UploadMark(rows: 0, digest: digest)
    if ticket.accepted.rows == 0, ticket.accepted.digest != digest { throw Self.changed }
  }

  /// Rows up to here have been handed over by an earlier request.
  private var isPassedOver: Bool { end.rows < ticket?.accepted.rows ?? 0 || ticket?.isComplete == true }

  /// Takes the record that the reader has.
  private mutating func take() async throws {
    if header == nil { try await begin() }
    guard let header else { return }
    batch.rows += 1
    reader.append(to: &batch.identity)
    if !isPassedOver {
      switch LeadRow.read(reader, header).flatMap(record(of:)) {
      case .success(let record): batch.records.append(record)
      case .failure(let error):
        batch.rejected += 1
        batch.errors += error.errors.prefix(Self.errorsOfRow).map { JobRowError(row: reader.row, $0) }
      }
    }
    if batch.rows == Self.batchRows || batch.identity.count >= Self.batchBytes { try await endBatch() }
  }

  private func record(of lead: JSONValue) -> Result<KafkaRecord, ValidationError> {
    let row = IngestRecord(kind: .lead, jobID: job, row: reader.row, batch: end.rows + 1, content: lead)
    return Result { () throws(ValidationError) in try row.record(trace: trace) }
  }

  // MARK: Handing over

  private mutating func endBatch() async throws {
    guard batch.rows > 0, let ticket else { return }
    let wasPassedOver = isPassedOver
    let begun = end
    end = UploadMark(rows: begun.rows + Int64(batch.rows), digest: SHA256.digest(begun.digest + batch.identity))
    let full = batch
    batch = Batch()
    try await keep()
    if wasPassedOver {
      if end.rows >= ticket.accepted.rows, end != ticket.accepted { throw Self.changed }
      return
    }
    try await publishing?.value
    publishing = nil
    if let inFlight = ticket.inFlight, begun.rows == ticket.accepted.rows {
      // It is counted as received already; what has changed in it would be mixed with what is at the broker.
      if end != inFlight { throw Self.changed }
    } else {
      try await write(full, from: begun)
    }
    failpoint(.importBegin)
    publish(full.records)
  }

  private mutating func write(_ batch: Batch, from begun: UploadMark) async throws {
    guard let ticket else { return }
    let keepsErrors = rejected < Store.jobErrorLimit
    var counts = try await store.beginBatch(
      ticket, accepted: begun, end: end, rejected: batch.rejected, errors: keepsErrors ? batch.errors : [])
    rejected = counts.rejected
    bytesHandedOver += Int64(batch.records.reduce(0) { $0 + ($1.value?.count ?? 0) })
    rowsHandedOver += Int64(batch.rows)
    let room = max(
      Int64(batch.rows),
      min(Self.waitingRows, Self.waitingBytes / max(1, bytesHandedOver / max(1, rowsHandedOver))))
    var deadline = ContinuousClock.now + Self.patience
    while counts.received - counts.processed > room {
      guard ContinuousClock.now < deadline else {
        throw Problem(.overloaded, "More rows wait for the ingest worker than it stores in time.", retryAfter: 10)
      }
      try await Task.sleep(for: .milliseconds(100))
      try await keep()
      let now = try await store.job(job).counts
      if now.processed > counts.processed { deadline = .now + Self.patience }
      counts = now
    }
  }

  private mutating func publish(_ records: [KafkaRecord]) {
    publishing = Task { [send] in
      try await send(records)
      failpoint(.importPublished)
    }
  }

  private mutating func complete() async throws -> (job: Job, isRepeated: Bool) {
    try await endBatch()
    try await publishing?.value
    publishing = nil
    guard let ticket else { throw StoreError.notFound(what: "upload", id: job.hex) }
    // The file was longer before.
    if end.rows < (ticket.inFlight ?? ticket.accepted).rows { throw Self.changed }
    if ticket.isComplete {
      if end != ticket.accepted { throw Self.changed }
      return (try await store.job(job), true)
    }
    return (try await store.completeUpload(ticket, at: end), false)
  }

  // MARK: Breaking off

  private static let changed = Problem(
    .idempotencyMismatch,
    "The file is not the one that came under this Idempotency-Key before. Rows of the first one may be stored; send this "
      + "one under another key.")

  /// Also when this request is cancelled: what has become of the upload must be known.
  private func breakOff(_ ticket: UploadTicket, _ error: any Error) async {
    guard !ticket.isComplete, !(error is UploadTakenOver) else { return }
    let what = Problem(describing: error)
    let told = (error as? ValidationError)?.description ?? what?.detail ?? "the server failed"
    let reason = "the upload broke off after \(end.rows) rows: \(told.prefix(500)) (\(Store.resumption))"
    // What cannot be written down is told by its silence (`Store.noteSilence`); the client gets the error that came first.
    await Task { [store] in try? await store.breakOffUpload(ticket, reason: reason) }.value
  }
}
