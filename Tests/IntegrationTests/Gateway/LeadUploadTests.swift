import BSON
import CRMCore
import CRMMessaging
import CRMStore
import JSON
import Kafka
import Mongo
import Runtime
import Synchronization
import Testing

@testable import APIGateway
@testable import IngestWorker

/// A topic of four partitions and the worker that reads it, without a broker.
final class ImportTopic: Sendable {
  struct Lost: Error {}

  private struct State {
    var partitions: [[KafkaRecord]] = [[], [], [], []]
    var read = [0, 0, 0, 0]
    /// Records that still get through; nil: all.
    var room: Int?
  }

  private let state = Mutex(State())
  private let store: Store

  init(_ store: Store) { self.store = store }

  /// The connection to the broker is lost after so many records.
  func lose(after count: Int?) { state.withLock { $0.room = count } }

  func send(_ records: [KafkaRecord]) throws {
    try state.withLock { state in
      for record in records {
        if let room = state.room {
          guard room > 0 else { throw Lost() }
          state.room = room - 1
        }
        // Stable, unlike Swift's own hash.
        let partition = (record.key ?? []).reduce(0) { ($0 &* 31 &+ Int($1)) & 0xFFFF } % 4
        state.partitions[partition].append(record)
      }
    }
  }

  /// Lets the worker read what is there, `batch` records at a time.
  func work(batch: Int = 400) async throws {
    let handler = IngestHandler(.lead, progress: store, rows: LeadRows(store: store))
    for partition in 0..<4 {
      while true {
        let (first, records) = state.withLock { state in
          let first = state.read[partition]
          return (first, Array(state.partitions[partition].dropFirst(first).prefix(batch)))
        }
        if records.isEmpty { break }
        let incoming = try records.enumerated().map { index, record in
          let consumed = ConsumedRecord(
            topic: record.topic, partition: Int32(partition), offset: Int64(first + index), epoch: 1, key: record.key,
            value: record.value)
          return Incoming(record: consumed, message: try handler.decode(consumed), trace: TraceContext())
        }
        #expect(try await handler.handle(incoming).poison.isEmpty)
        state.withLock { $0.read[partition] += records.count }
      }
    }
  }

  /// The worker forgets how far it was, as after its death.
  func rewind(by count: Int) {
    state.withLock { state in
      for partition in 0..<4 { state.read[partition] = max(0, state.read[partition] - count) }
    }
  }
}

/// Uploads that break off and go on.
@Suite(.serialized) struct LeadUploadTests {
  private struct ConnectionLost: Error {}

  private struct Setting {
    let store: Store
    let topic: ImportTopic

    init() async throws {
      store = try await TestServers.shared.store()
      topic = ImportTopic(store)
    }

    /// - Parameter cut: bytes after which the client goes away; nil: it sends everything.
    @discardableResult
    func upload(_ file: String, as job: ObjectID, cut: Int? = nil) async throws -> (job: Job, isRepeated: Bool) {
      let bytes = Array(file.utf8)
      let sent = cut.map { Array(bytes.prefix($0)) } ?? bytes
      let body = AsyncThrowingStream<[UInt8], any Error> { continuation in
        for start in stride(from: 0, to: sent.count, by: 5000) {
          continuation.yield(Array(sent[start..<min(start + 5000, sent.count)]))
        }
        continuation.finish(throwing: cut == nil ? nil : ConnectionLost())
      }
      var upload = LeadUpload(
        job: job, trace: TraceContext(), mappings: [], ignored: [], encoding: nil, store: store
      ) { [topic] in try topic.send($0) }
      return try await upload.run(body)
    }

    func leads() async throws -> Int {
      try await store.mongo.withConnection { try $0.count(Collections.leads, [:]) }
    }

    /// Every row is in the counters once and in the database once; every hundredth is bad.
    func expectAll(_ rows: Int, of job: ObjectID) async throws {
      try await topic.work()
      let shown = try await store.job(job)
      let bad = rows / 100
      #expect(shown.state == .completed, "\(shown.failure ?? "")")
      #expect(
        shown.counts
          == JobCounts(
            received: Int64(rows), processed: Int64(rows), inserted: Int64(rows - bad), modified: 0,
            rejected: Int64(bad)))
      #expect(try await leads() == rows - bad)
      let errors = try await store.jobErrors(job, limit: 10_000).errors
      #expect(errors.map(\.row) == (1...max(1, bad)).map { Int64($0 * 100) })
    }
  }

  /// Every hundredth row is bad: every other of these is found by the gateway, the rest by the worker.
  private static func file(_ rows: Int, _ change: (Int) -> String? = { _ in nil }) -> String {
    var file = "name,emails,visits,metadata.age:number\n"
    for row in 1...rows {
      let email = row % 200 == 100 ? "nobody" : "lead\(row)@example.com"
      file += change(row) ?? "Lead \(row),\(email),\(row % 7),\(row % 200 == 0 ? "old" : "\(row)")"
      file += "\n"
    }
    return file
  }

  private func mismatch(_ body: () async throws -> Void) async {
    do {
      try await body()
      Issue.record("a changed file was taken")
    } catch let problem as Problem {
      #expect(problem.kind == .idempotencyMismatch, "\(problem.detail)")
    } catch {
      Issue.record("\(error)")
    }
  }

  @Test func aFileIsImportedRowByRow() async throws {
    let setting = try await Setting()
    let job = ObjectID()
    let (made, isRepeated) = try await setting.upload(Self.file(2500), as: job)
    #expect(made.counts.received == 2500 && !isRepeated)
    try await setting.expectAll(2500, of: job)
  }

  /// The trap: nothing has been accepted, and yet the job is there.
  @Test func anUploadThatBreaksOffInItsFirstBatchGoesOn() async throws {
    for cut in [0, 10, 60, 20_000] {
      let setting = try await Setting()
      let job = ObjectID()
      let file = Self.file(1500)
      await #expect(throws: ConnectionLost.self) { try await setting.upload(file, as: job, cut: cut) }
      if cut > 40 {
        let broken = try await setting.store.job(job)
        #expect(broken.state == .failed && broken.counts == JobCounts() && broken.failure?.contains("0 rows") == true)
      }
      try await setting.upload(file, as: job)
      try await setting.expectAll(1500, of: job)
    }
  }

  /// The trap: a batch is in flight, some of its rows are at the broker and some are not; the worker may have had them
  /// before the file comes again, or not.
  @Test(arguments: [0, 1, 500, 999, 1000, 1500, 2700], [false, true])
  func aBatchInFlightIsHandedOverAgainAndCountsOnce(reached: Int, isWorkedOn: Bool) async throws {
    let setting = try await Setting()
    let job = ObjectID()
    let file = Self.file(3200)
    setting.topic.lose(after: reached)
    await #expect(throws: ImportTopic.Lost.self) { try await setting.upload(file, as: job) }
    #expect(try await setting.store.job(job).state == .failed)
    if isWorkedOn { try await setting.topic.work(batch: 150) }
    // It breaks off once more, at another place.
    setting.topic.lose(after: 300)
    await #expect(throws: ImportTopic.Lost.self) { try await setting.upload(file, as: job) }
    if isWorkedOn { try await setting.topic.work() }
    setting.topic.lose(after: nil)
    try await setting.upload(file, as: job)
    try await setting.expectAll(3200, of: job)
    let again = try await setting.upload(file, as: job)
    #expect(again.isRepeated && again.job.counts.received == 3200)
    try await setting.expectAll(3200, of: job)
  }

  @Test func aWorkerThatStartsAgainCountsNothingTwice() async throws {
    let setting = try await Setting()
    let job = ObjectID()
    try await setting.upload(Self.file(2000), as: job)
    try await setting.topic.work(batch: 170)
    setting.topic.rewind(by: 333)
    try await setting.expectAll(2000, of: job)
  }

  /// Rows that were stored and not counted when the worker died: their leads are known by their ids.
  @Test func aRowThatWasStoredAndNotCountedIsStillInserted() async throws {
    let setting = try await Setting()
    let row = LeadInput(name: "A", emails: ["a@example.com"])
    let id = IngestRecord(kind: .lead, jobID: ObjectID(), row: 7, content: [:]).documentID
    #expect(try await setting.store.upsertLeads([row], ids: [id]) == [.inserted])
    #expect(try await setting.store.upsertLeads([row], ids: [id]) == [.inserted])
    #expect(try await setting.store.upsertLeads([row], ids: [ObjectID()]) == [.unchanged])
    #expect(try await setting.leads() == 1)
    // Somebody has given the lead another e-mail since: the row still finds what it made.
    _ = try await setting.store.mongo.withConnection {
      try $0.updateOne(Collections.leads, ["_id": .objectID(id)], ["$set": ["emails": ["b@example.com"]]])
    }
    #expect(try await setting.store.upsertLeads([row], ids: [id]) == [.inserted])
    #expect(try await setting.leads() == 1)
  }

  @Test func aChangedFileIsRefused() async throws {
    let setting = try await Setting()
    let job = ObjectID()
    let file = Self.file(3200)
    setting.topic.lose(after: 2500)
    await #expect(throws: ImportTopic.Lost.self) { try await setting.upload(file, as: job) }
    setting.topic.lose(after: nil)
    let before = try await setting.store.job(job).counts
    // In what was accepted, in the batch in flight, in the header; shorter than what was accepted, or than the batch.
    await mismatch { try await setting.upload(Self.file(3200) { $0 == 7 ? "Other,x@example.com,1,1" : nil }, as: job) }
    await mismatch {
      try await setting.upload(Self.file(3200) { $0 == 2999 ? "Other,x@example.com,1,1" : nil }, as: job)
    }
    await mismatch { try await setting.upload(file.replacing("visits", with: "tags"), as: job) }
    await mismatch { try await setting.upload(Self.file(1500), as: job) }
    await mismatch { try await setting.upload(Self.file(2500), as: job) }
    #expect(try await setting.store.job(job).counts == before)
    try await setting.upload(file, as: job)
    try await setting.expectAll(3200, of: job)
    // And when it is complete: another row, fewer, more.
    await mismatch {
      try await setting.upload(Self.file(3200) { $0 == 3200 ? "Other,x@example.com,1,1" : nil }, as: job)
    }
    await mismatch { try await setting.upload(Self.file(3000), as: job) }
    await mismatch { try await setting.upload(Self.file(3201), as: job) }
    try await setting.expectAll(3200, of: job)
  }

  @Test func aNewHeaderUnderAnUploadWithoutRowsIsRefused() async throws {
    let setting = try await Setting()
    let job = ObjectID()
    let file = Self.file(10)
    await #expect(throws: ConnectionLost.self) { try await setting.upload(file, as: job, cut: 60) }
    await mismatch { try await setting.upload(file.replacing("visits", with: "tags"), as: job) }
  }

  @Test func whoGoesOnTakesOver() async throws {
    let setting = try await Setting()
    let first = try await setting.store.beginUpload(ObjectID(), header: [1])
    let second = try await setting.store.beginUpload(first.job, header: [1])
    let end = UploadMark(rows: 5, digest: [2])
    let start = UploadMark(rows: 0, digest: [1])
    await #expect(throws: UploadTakenOver.self) {
      try await setting.store.beginBatch(first, accepted: start, end: end, rejected: 0, errors: [])
    }
    try await setting.store.breakOffUpload(first, reason: "it is not the first's any more")
    await #expect(throws: UploadTakenOver.self) { try await setting.store.completeUpload(first, at: end) }
    let counts = try await setting.store.beginBatch(second, accepted: start, end: end, rejected: 5, errors: [])
    #expect(counts == JobCounts(received: 5, processed: 5, rejected: 5))
    #expect(try await setting.store.completeUpload(second, at: end).state == .completed)
  }

  @Test func aFileThatCannotBeReadOnSaysWhere() async throws {
    let setting = try await Setting()
    let job = ObjectID()
    do {
      try await setting.upload(Self.file(1200) + "\"never closed,x\n", as: job)
      Issue.record("it was taken")
    } catch let error as ValidationError {
      #expect(error.errors.map(\.field) == ["row 1201"] && error.errors[0].code == "unterminated_quote")
    }
    let failed = try await setting.store.job(job)
    #expect(failed.state == .failed && failed.failure?.contains("row 1201") == true)
    // The rest of it, corrected, goes on where it stopped.
    try await setting.upload(Self.file(1200), as: job)
    try await setting.expectAll(1200, of: job)
  }

  @Test func aGatewayThatDiedLeavesAJobThatSaysSo() async throws {
    let clock = TestClock(CampaignFixture.start)
    let store = try await TestServers.shared.store(clock: clock)
    let ticket = try await store.beginUpload(ObjectID(), header: [1])
    #expect(try await store.job(ticket.job).state == .queued)
    clock.advance(by: .seconds(61))
    let silent = try await store.job(ticket.job)
    #expect(silent.state == .failed && silent.failure?.contains("Idempotency-Key") == true)
    _ = try await store.beginUpload(ticket.job, header: [1])
    #expect(try await store.job(ticket.job).state == .queued)
  }
}
