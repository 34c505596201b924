import CRMCore
import CRMStore
import CivilTime
import Crypto
import JSON
import Runtime
import ServiceHost

/// Freezes a run's audience: walks the matching leads in `_id` order and writes them down in chunks.
///
/// One worker walks at a time, under a lease; memory holds one chunk. Killed in between, the next worker goes on behind
/// the last chunk written, whose job the sweeper publishes if it had not been.
struct Freezer: Sendable {
  private let store: Store
  private let publisher: JobPublisher
  private let log: Logger
  private let owner: String
  private let chunkSize: Int
  private let leaseSeconds: Int
  private let seconds: Histogram

  /// For the questions about orders and messages of one stretch of leads.
  private static let stretchTimeoutMS = 120_000

  init(_ context: ServiceContext, _ publisher: JobPublisher) {
    store = context.store
    self.publisher = publisher
    log = context.log
    owner = context.instanceID
    chunkSize = context.settings[CRMSettings.chunkSize]
    leaseSeconds = context.settings[CRMSettings.launchLease]
    seconds = context.instruments.stage("freeze")
  }

  func freeze(_ runID: UUIDBytes, trace: TraceContext) async throws {
    guard let lease = try await store.leaseFreeze(runID, owner: owner, seconds: leaseSeconds) else { return }
    failpoint(.freezeLeased)
    let run = lease.run
    let log = self.log.with([
      LogKey.campaignID: .string(run.campaignID.hex), LogKey.runID: .string(run.id.string),
      LogKey.traceparent: .string(trace.description),
    ])
    let rule: CompiledRule
    do {
      rule = try await meaning(of: run)
    } catch let error as RuleError {
      log.error("the segment's rule cannot be carried out", [LogKey.error: .string("\(error)")])
      return try await store.failRun(run, errorClass: "invalid_rule", message: "\(error)")
    } catch let error as UnknownZone {
      return try await store.failRun(run, errorClass: "invalid_rule", message: "\(error)")
    }
    do {
      let audience = try await walk(lease, matching: rule, trace: trace)
      try await store.finishFreeze(lease)
      log.info("audience frozen", ["audience": .int(audience)])
      _ = try await store.completeIfDone(run.id)
    } catch let error as RuleError {
      log.error("the segment's rule is too large for the database", [LogKey.error: .string("\(error)")])
      try await store.failRun(run, errorClass: "invalid_rule", message: "\(error)")
    } catch is FreezeInterrupted {
      log.info("freezing stopped: the run was paused or ended, or another worker goes on")
    }
  }

  /// The rule as it was at the launch; what it asks of orders, campaigns and other segments is answered now.
  private func meaning(of run: CampaignRun) async throws -> CompiledRule {
    guard let zone = CalendarZone(identifier: run.timezone) else { throw UnknownZone(identifier: run.timezone) }
    return try await store.compile(ZonedRule(rule: try Rule.decode(run.rule), zone: zone), now: run.asOf)
  }

  private func walk(_ lease: FreezeLease, matching rule: CompiledRule, trace: TraceContext) async throws -> Int64 {
    let run = lease.run
    var (sequence, audience, hash) = (run.chunks, run.audience, run.audienceHash)
    guard let bound = lease.upperBound else { return audience }
    var walk = store.walk(rule, after: run.cursor, upTo: bound, timeoutMS: Self.stretchTimeoutMS)
    while true {
      let began = ContinuousClock.now
      let ids = try await walk.next(limit: chunkSize)
      guard !ids.isEmpty else { return audience }
      let next = AudienceHash.adding(ids, to: hash)
      try await store.freezeChunk(lease, sequence: sequence, leadIDs: ids, hash: next, leaseSeconds: leaseSeconds)
      failpoint(.freezeCommitted)
      let chunk = AudienceChunk(
        runID: run.id, sequence: sequence, origin: .rule, leadIDs: ids, createdAt: store.clock.now())
      try await publisher.publish([chunk], of: run, trace: trace)
      failpoint(.freezePublished)
      seconds.observe(began.duration(to: .now))
      hash = next
      sequence += 1
      audience += Int64(ids.count)
    }
  }
}

/// A run names a time zone that this system does not know.
private struct UnknownZone: Error, CustomStringConvertible {
  let identifier: String
  var description: String { "the time zone \(identifier) is unknown" }
}
