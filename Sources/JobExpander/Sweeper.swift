import CRMCore
import CRMMessaging
import CRMStore
import CivilTime
import Crypto
import JSON
import Runtime
import ServiceHost

/// Takes up what got lost: launches without progress, chunks and sends whose record a broker dropped, claims whose worker
/// died, retries that are due. One replica sweeps at a time.
struct Sweeper: Sendable {
  private let store: Store
  private let publisher: JobPublisher
  private let backPressure: SendBackPressure
  private let log: Logger
  private let idleSeconds: Int
  private let leaseSeconds: Int
  private let scheduleGrace: Int
  private let swept: MetricFamily<Counter>

  private static let chunksARun = 50
  /// What a version without them left to count; a second or two of work.
  private static let pagesOfOrderTotals = 20
  private static let runsASweep = 200

  init(_ context: ServiceContext, _ publisher: JobPublisher, _ backPressure: SendBackPressure) {
    store = context.store
    self.publisher = publisher
    self.backPressure = backPressure
    log = context.log
    idleSeconds = context.settings[CRMSettings.sweepAfter]
    leaseSeconds = context.settings[CRMSettings.claimLease]
    scheduleGrace = context.settings[CRMSettings.scheduleGrace]
    swept = context.instruments.swept
  }

  /// Sweeps as a service of the process.
  func service(_ context: ServiceContext) -> LeasedRounds {
    LeasedRounds(
      context, name: "sweeper", leaseSeconds: context.settings[CRMSettings.sweepLease],
      interval: .milliseconds(context.settings[CRMSettings.sweepInterval]), round: sweep)
  }

  @Sendable private func sweep() async throws {
    failpoint(.sweepBegin)
    try await publishDueRetries()
    try await launchDueSchedules()
    for run in try await store.stalledLaunches(olderThanSeconds: idleSeconds, limit: 20) {
      note("launch", 1, run)
      try await publisher.publishLaunch(of: run, trace: TraceContext())
    }
    for run in try await store.runs(in: [.running], limit: Self.runsASweep) {
      if try await store.completeIfDone(run.id) { continue }
      try await sweepChunks(of: run)
    }
    for run in try await store.cancelledRunsToDrain(limit: 20) { try await drain(run) }
    _ = try await store.continueOrderTotals(pages: Self.pagesOfOrderTotals)
  }

  /// The run's id follows from campaign and time, so a schedule is launched once however often it is found due.
  private func launchDueSchedules() async throws {
    for campaign in try await store.dueSchedules(graceSeconds: scheduleGrace, limit: 100) {
      let name = "\(campaign.id.hex)/\(campaign.scheduleAt?.description ?? "")"
      do {
        let launch = try await store.launch(
          campaignID: campaign.id, runID: UUIDBytes(v5: name, namespace: SendID.namespace))
        note("schedule", 1, launch.run)
        try await publisher.publishLaunch(of: launch.run, trace: TraceContext())
      } catch let error as StoreError {
        log.warning(
          "a scheduled campaign cannot be launched",
          [LogKey.campaignID: .string(campaign.id.hex), LogKey.error: .string("\(error)")])
      }
    }
    for campaign in try await store.markOverdueSchedules(graceSeconds: scheduleGrace, limit: 100) {
      log.warning(
        "a schedule was found too late and waits for confirmation: run the campaign or cancel it",
        [LogKey.campaignID: .string(campaign.id.hex)])
    }
  }

  private func publishDueRetries() async throws {
    while !Task.isCancelled {
      let due = try await store.takeDueRetries(limit: 500, holdSeconds: idleSeconds)
      guard !due.isEmpty else { return }
      failpoint(.sweepRetriesTaken)
      swept.labels("retry").add(due.count)
      try await publisher.publish(due, trace: TraceContext())
      if due.count < 500 { return }
    }
  }

  private func sweepChunks(of run: CampaignRun) async throws {
    let chunks = try await store.takeChunksToSweep(run: run.id, idleSeconds: idleSeconds, limit: Self.chunksARun)
    if !chunks.isEmpty { failpoint(.sweepChunkTaken) }
    for chunk in chunks {
      guard chunk.expanded else {
        note("chunk", 1, run)
        try await publisher.publish([chunk], of: run, trace: TraceContext())
        continue
      }
      try await sweepRows(of: chunk, run)
    }
  }

  /// Queued rows are published again only once the send workers have caught up: while records wait on the topic, theirs
  /// are most likely among them.
  private func sweepRows(of chunk: AudienceChunk, _ run: CampaignRun) async throws {
    let state = try await store.sweep(chunk, of: run, leaseSeconds: leaseSeconds)
    if state.open == 0 { return try await store.settle(chunk) }
    #if FAILPOINTS
      if isFaulty(.lapsedClaimQueued) {
        return try await publisher.publish(try await store.requeue(state.lapsed), trace: TraceContext())
      }
    #endif
    if !state.lapsed.isEmpty {
      note("lapsed_claim", state.lapsed.count, run)
      try await publisher.publishUnknown(state.lapsed, of: chunk, run, now: store.clock.now())
    }
    if !state.queued.isEmpty, backPressure.lag == 0, run.state == .running {
      note("send", state.queued.count, run)
      try await publisher.publish(state.queued, trace: TraceContext())
    }
  }

  /// A cancelled run is drained when nothing of it is pending, queued or sending.
  private func drain(_ run: CampaignRun) async throws {
    var last: Int64?
    while true {
      let chunks = try await store.chunks(run: run.id, afterSequence: last, limit: 20)
      guard let end = chunks.last else { break }
      for chunk in chunks {
        try await store.cancel(chunk, of: run)
        try await sweepRows(of: chunk, run)
      }
      last = end.sequence
    }
    if try await store.stats(ofRun: run.id).inFlight == 0 { try await store.markDrained(run.id) }
  }

  private func note(_ kind: String, _ count: Int, _ run: CampaignRun) {
    swept.labels(kind).add(count)
    log.info(
      "swept", ["kind": .string(kind), LogKey.count: .int(Int64(count)), LogKey.runID: .string(run.id.string)])
  }
}
