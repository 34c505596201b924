import BSON
import CRMCore
import CRMMessaging
import CRMStore
import JSON
import Kafka
import Runtime
import ServiceHost

/// Turns a chunk of the audience into log rows and send jobs.
struct ChunkExpander: Sendable {
  private let store: Store
  private let publisher: JobPublisher
  private let backPressure: SendBackPressure
  private let log: Logger
  private let storeSeconds: Histogram
  private let publishSeconds: Histogram

  init(_ context: ServiceContext, _ publisher: JobPublisher, _ backPressure: SendBackPressure) {
    store = context.store
    self.publisher = publisher
    self.backPressure = backPressure
    log = context.log
    storeSeconds = context.instruments.stage("expand")
    publishSeconds = context.instruments.stage("publish")
  }

  /// Publishes every send of the chunk that is still queued, those of an earlier expansion too, before the job's offset
  /// moves. A paused run is left alone: resuming publishes its chunks again. Of a cancelled one the leads are cancelled.
  ///
  /// - Throws: `PoisonError` for a run that is over.
  func expand(_ chunk: AudienceChunk, of run: CampaignRun, trace: TraceContext) async throws {
    guard run.state != .paused else { return }
    if run.state == .cancelled { return try await store.cancel(chunk, of: run) }
    guard !run.state.isFinal else {
      throw PoisonError("run_is_final", "run \(run.id) is \(run.state.rawValue); nothing of it is expanded any more")
    }
    try await backPressure.wait()
    let template: MessageTemplate
    let zone = CalendarZone(identifier: run.timezone) ?? .utc
    do {
      template = try MessageTemplate(parsing: run.messageTemplate)
    } catch {
      return try await store.failRun(run, errorClass: "invalid_template", message: "\(error)")
    }
    let began = ContinuousClock.now
    let expanded = try await store.expand(chunk, of: run) { lead in
      LeadMessage(template, for: lead, channel: run.channel, in: zone)
    }
    let stored = ContinuousClock.now
    storeSeconds.observe(began.duration(to: stored))
    failpoint(.expandCommitted)
    try await publisher.publish(expanded.jobs, trace: trace.child())
    failpoint(.expandPublished)
    publishSeconds.observe(stored.duration(to: .now))
    if expanded.jobs.isEmpty { _ = try await store.completeIfDone(run.id) }
    log.debug(
      "chunk expanded",
      [
        LogKey.campaignID: .string(run.campaignID.hex), LogKey.runID: .string(run.id.string),
        "sequence": .int(chunk.sequence), "queued": .int(Int64(expanded.jobs.count)),
        "skipped": .int(Int64(expanded.skipped)), LogKey.traceparent: .string(trace.description),
      ])
  }
}
