import BSON
import CRMCore
import CRMStore
import CivilTime
import Crypto
import JSON
import Mongo
import Testing

/// The store's conditional writes do in every state what the pure machines say.
@Suite struct StateConformanceTests {
  private let past = Timestamp(milliseconds: 0)

  /// A queued send of a running campaign, and what can happen to it.
  private struct Send {
    let fixture: CampaignFixture
    let run: CampaignRun
    let chunk: AudienceChunk
    let job: SendJob
    var store: Store { fixture.store }

    func row() async throws -> BSONDocument {
      let id = BSONValue.uuid(job.sendID.bytes)
      return try await store.mongo.withConnection { try $0.findOne(Collections.communicationLogs, ["_id": id]) }
        .unwrapped("the row")
    }

    func state() async throws -> ClaimState {
      let row = try await row()
      let (waits, held) = (row["retry_at"] != nil, row["lease"] != nil)
      switch row["status"]?.stringValue.flatMap(SendStatus.init(rawValue:)) {
      case .queued: return waits ? .deferred : .queued
      case .sending: return held ? .held : .waiting
      case .unknown: return waits ? .resending : held ? .resent : .undecided
      case .failed: return .exhausted
      default: return .closed
      }
    }

    func apply(_ event: ClaimState.Event) async throws {
      let row = try await row()
      let attempt = Int32(row["attempt"]?.int64Value ?? 0)
      let fence = row["lease"]?["fence"]?.uuidBytes.flatMap { UUIDBytes(bytes: $0) } ?? UUIDBytes()
      let retry = Retry(sendID: job.sendID, notBefore: Timestamp(milliseconds: 0))
      var next = job
      next.attempt = attempt + 1
      switch event {
      case .claim: _ = try await store.claim([next], owner: "w", vendor: "simulator")
      case .release: try await store.release([job.sendID], fence: fence)
      case .retryLater: try await store.scheduleRetries([retry], fence: fence)
      case .putOff: try await store.deferQueued([retry])
      case .tellUnknown: try await tell(.unknown, attempt: attempt)
      case .tellSent: try await tell(.sent, attempt: attempt)
      case .cancel: try await store.cancel(chunk, of: run)
      case .resend: _ = try await store.resend([(job.sendID, attempt)])
      case .replay:
        next.attempt = attempt
        try await replay(next)
      }
    }

    func tell(_ status: SendStatus, attempt: Int32) async throws {
      _ = try await store.merge([
        job.sendID: [
          SendEvent(status: status, at: CampaignFixture.start, source: .outcome(worker: "w"), attempt: attempt)
        ]
      ])
    }

    private func replay(_ job: SendJob) async throws {
      let letter = try await exhaustedLetter(store, job, offset: Int64.random(in: 0..<1_000_000))
      do { _ = try await store.reopen(letter, job) } catch is StoreError {}
    }
  }

  private func send() async throws -> Send {
    let fixture = try await CampaignFixture.make(leads: 1)
    let (run, chunks) = try await fixture.frozenRun()
    let jobs = try await fixture.store.expand(chunks[0], of: run, render: CampaignFixture.render).jobs
    return Send(fixture: fixture, run: run, chunk: chunks[0], job: jobs[0])
  }

  /// The way to each state.
  private static let ways: [ClaimState: [ClaimState.Event]] = [
    .queued: [], .deferred: [.putOff], .held: [.claim], .waiting: [.claim, .retryLater],
    .undecided: [.claim, .tellUnknown], .resending: [.claim, .tellUnknown, .resend],
    .resent: [.claim, .tellUnknown, .resend, .claim], .exhausted: [.claim], .closed: [.claim, .tellSent],
  ]

  @Test(arguments: ClaimState.allCases)
  func everyEventDoesToARowWhatTheMachineSays(state: ClaimState) async throws {
    for event in ClaimState.Event.allCases {
      let send = try await send()
      for step in Self.ways[state] ?? [] { try await send.apply(step) }
      if state == .exhausted { try await send.tell(.failed, attempt: 1) }
      #expect(try await send.state() == state, "the way to \(state)")
      try await send.apply(event)
      #expect(try await send.state() == state.after(event), "\(state) \(event)")
      _ = try await send.fixture.checkedStats(send.run.id)
    }
  }

  @Test(arguments: ChunkState.allCases)
  func everyEventDoesToAChunkWhatTheMachineSays(state: ChunkState) async throws {
    for event in ChunkState.Event.allCases {
      let fixture = try await CampaignFixture.make(leads: 2)
      let (run, chunks) = try await fixture.frozenRun()
      func apply(_ event: ChunkState.Event) async throws {
        let chunk = try await fixture.store.chunks(run: run.id, afterSequence: nil, limit: 1)[0]
        switch event {
        case .expand: _ = try await fixture.store.expand(chunk, of: run, render: CampaignFixture.render)
        case .cancel: try await fixture.store.cancel(chunk, of: run)
        case .settle: if chunk.expanded { try await fixture.store.settle(chunk) }
        }
      }
      let way: [ChunkState: [ChunkState.Event]] = [.pending: [], .expanded: [.expand], .settled: [.expand, .settle]]
      for step in way[state] ?? [] { try await apply(step) }
      try await apply(event)
      let id = BSONValue.objectID(chunks[0].id)
      let document = try await fixture.store.mongo.withConnection {
        try $0.findOne(Collections.audienceChunks, ["_id": id])
      }.unwrapped("the chunk")
      let found: ChunkState =
        document["expanded"]?.boolValue != true
        ? .pending : document["settled"]?.boolValue == true ? .settled : .expanded
      #expect(found == state.after(event), "\(state) \(event)")
    }
  }
}

/// The dead letter of a send whose attempts are used up, filed.
func exhaustedLetter(_ store: Store, _ job: SendJob, offset: Int64) async throws -> FiledLetter {
  try await store.file([
    DeadLetter(
      letterPartition: 0, letterOffset: offset, topic: "campaign.send_jobs", partition: 0, offset: offset,
      group: "tests", attempts: Int(job.attempt), errorClass: "attempts_exhausted", error: "refused",
      firstFailure: nil, failedAt: Timestamp(milliseconds: CampaignFixture.start.milliseconds + offset),
      key: Array(job.leadID.hex.utf8), value: job.encoded(), headers: [("schema", Array("send-job/1".utf8))])
  ])
  var filter = DeadLetterFilter()
  filter.from = Timestamp(milliseconds: CampaignFixture.start.milliseconds + offset)
  filter.to = Timestamp(milliseconds: CampaignFixture.start.milliseconds + offset + 1)
  return try await store.oldestDeadLetters(filter, limit: 1).first.unwrapped("the letter")
}
