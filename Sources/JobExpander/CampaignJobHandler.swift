import BSON
import CRMCore
import CRMMessaging
import CRMStore
import Crypto
import Kafka
import Runtime

/// Reads `campaign.jobs`: a launch acts on its run's state, a chunk is expanded.
struct CampaignJobHandler: Sendable {
  let freezer: Freezer
  let expander: ChunkExpander
  let store: Store
  let publisher: JobPublisher

  @Sendable static func decode(_ record: ConsumedRecord) throws(PoisonError) -> CampaignJob {
    guard let value = record.value else { throw PoisonError("unreadable_record", "the record has no value") }
    do throws(RecordError) {
      return try CampaignJob.decode(value)
    } catch {
      throw PoisonError("unreadable_record", "\(error)")
    }
  }

  @Sendable func handle(_ batch: [Incoming<CampaignJob>]) async throws -> BatchOutcome {
    var outcome = BatchOutcome()
    for (index, incoming) in batch.enumerated() {
      do {
        switch incoming.message {
        case .launch(let campaignID, let runID):
          try await launch(campaignID, runID, trace: incoming.trace)
        case .chunk(let campaignID, let runID, let leadIDs):
          try await chunk(campaignID, runID, leadIDs, trace: incoming.trace)
        }
      } catch let error as PoisonError {
        outcome.poison.append((index, error))
      }
    }
    return outcome
  }

  private func launch(_ campaignID: ObjectID, _ runID: UUIDBytes, trace: TraceContext) async throws {
    guard let run = try await store.run(runID), run.campaignID == campaignID else {
      throw PoisonError("unknown_run", "campaign \(campaignID) has no run \(runID)")
    }
    switch run.state {
    case .launched, .freezing:
      try await freezer.freeze(run.id, trace: trace)
      // Chunks that came while the run was paused were left alone.
      if run.epoch > 0 { try await republish(run, trace: trace) }
    case .running where run.epoch > 0: try await republish(run, trace: trace)
    case .cancelled: try await cancelRest(of: run)
    case .running, .paused, .completed, .failed: break
    }
  }

  /// After a resume every chunk is published again; its expansion publishes the sends that are still queued.
  private func republish(_ run: CampaignRun, trace: TraceContext) async throws {
    try await eachPage(of: run) { try await publisher.publish($0, of: run, trace: trace) }
    _ = try await store.completeIfDone(run.id)
  }

  private func cancelRest(of run: CampaignRun) async throws {
    try await eachPage(of: run) { chunks in
      for chunk in chunks { try await store.cancel(chunk, of: run) }
    }
  }

  private func eachPage(of run: CampaignRun, _ act: ([AudienceChunk]) async throws -> Void) async throws {
    var last: Int64?
    while true {
      let chunks = try await store.chunks(run: run.id, afterSequence: last, limit: 20)
      guard let end = chunks.last else { return }
      try await act(chunks)
      last = end.sequence
    }
  }

  private func chunk(
    _ campaignID: ObjectID, _ runID: UUIDBytes?, _ leadIDs: [ObjectID], trace: TraceContext
  ) async throws {
    let run = try await run(of: campaignID, named: runID)
    if let chunk = try await store.chunk(run: run.id, leadIDs: leadIDs) {
      return try await expander.expand(chunk, of: run, trace: trace)
    }
    try await handMade(run, leadIDs, trace: trace)
  }

  private func run(of campaignID: ObjectID, named runID: UUIDBytes?) async throws -> CampaignRun {
    if let runID {
      guard let run = try await store.run(runID), run.campaignID == campaignID else {
        throw PoisonError("unknown_run", "campaign \(campaignID) has no run \(runID)")
      }
      return run
    }
    do {
      return try await store.currentRun(ofCampaign: campaignID)
    } catch let error as StoreError {
      throw PoisonError("unknown_campaign", "\(error)")
    }
  }

  /// A chunk that an operator made: leads of the frozen audience are expanded with their chunks, others are appended.
  private func handMade(_ run: CampaignRun, _ leadIDs: [ObjectID], trace: TraceContext) async throws {
    guard !run.state.isFinal else {
      throw PoisonError("run_is_final", "run \(run.id) is \(run.state.rawValue); its audience does not change any more")
    }
    let chunks = try await store.chunks(run: run.id, holding: leadIDs)
    for chunk in chunks { try await expander.expand(chunk, of: run, trace: trace) }
    let covered = Set(chunks.flatMap(\.leadIDs))
    var seen = covered
    let others = leadIDs.filter { seen.insert($0).inserted }
    guard !others.isEmpty else { return }
    let existing = try await store.existingLeads(others)
    let known = others.filter(existing.contains)
    if !known.isEmpty {
      guard let chunks = try await store.appendChunk(run: run.id, leadIDs: known) else {
        throw PoisonError("run_is_final", "run \(run.id) is over; its audience does not change any more")
      }
      for chunk in chunks { try await expander.expand(chunk, of: run, trace: trace) }
    }
    let unknown = others.filter { !existing.contains($0) }
    if !unknown.isEmpty {
      let list = unknown.prefix(20).map(\.hex).joined(separator: ", ")
      throw PoisonError("unknown_leads", "\(unknown.count) of \(leadIDs.count) leads do not exist: \(list)")
    }
  }
}
