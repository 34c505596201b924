import BSON
import CRMCore
import CRMMessaging
import CRMStore
import CivilTime
import Crypto
import JSON
import Kafka
import Runtime
import ServiceHost

/// Handles a batch of send jobs: permits, claim, call, tell.
///
/// The order is what keeps the promise: a send is claimed durably before its call, and told before its offset moves.
/// Killed between claim and tell, the send is neither lost nor repeated: its lease lapses and it becomes UNKNOWN.
final class Sender: Sendable {
  let stopping = Latch<Void>()
  private let store: Store
  private let producer: KafkaProducer
  private let deadLetters: DeadLetterPublisher
  private let gate: VendorGate
  private let policy: SendPolicy
  private let log: Logger
  private let owner: String
  private let lease: Duration
  private let sends: MetricFamily<Counter>
  private let claimSeconds: Histogram
  private let callSeconds: Histogram
  private let tellSeconds: Histogram

  init(_ context: ServiceContext, vendor gate: VendorGate) {
    store = context.store
    producer = context.kafka.producer
    deadLetters = context.deadLetters(of: .sendJobs)
    self.gate = gate
    let settings = context.settings
    policy = SendPolicy(
      maxAttempts: Int32(settings[CRMSettings.maxAttempts]),
      backoff: Backoff(
        base: .milliseconds(settings[CRMSettings.retryBase]), cap: .milliseconds(settings[CRMSettings.retryCap])),
      honoursIdempotencyKeys: gate.vendor.honoursIdempotencyKeys)
    log = context.log
    owner = context.instanceID
    // A call must end well before others may judge its claim, so the last start is a vendor call's time before that.
    lease =
      .seconds(settings[CRMSettings.claimLease]) - .milliseconds(settings[CRMSettings.sendTimeout]) - .seconds(1)
    sends = context.instruments.sends
    claimSeconds = context.instruments.stage("claim")
    callSeconds = context.instruments.stage("call")
    tellSeconds = context.instruments.stage("tell")
  }

  @Sendable static func decode(_ record: ConsumedRecord) throws(PoisonError) -> SendJob {
    guard let value = record.value else { throw PoisonError("unreadable_record", "the record has no value") }
    do throws(RecordError) {
      return try SendJob.decode(value)
    } catch {
      throw PoisonError("unreadable_record", "\(error)")
    }
  }

  @Sendable func handle(_ batch: [Incoming<SendJob>]) async throws -> BatchOutcome {
    var seen: Set<UUIDBytes> = []
    let unique = batch.filter { seen.insert($0.message.sendID).inserted }
    for (channel, group) in Dictionary(grouping: unique, by: \.message.channel) {
      try await send(group, channel: channel)
    }
    return .done
  }

  private func send(_ group: [Incoming<SendJob>], channel: Channel) async throws {
    let (admitted, retryAfter) = gate.admit(group.count, channel: channel)
    if admitted < group.count {
      // The breaker is open: the sends wait in the store, not in the consumer, so that other channels go on.
      try await store.deferQueued(
        group.dropFirst(admitted).map { item in
          Retry(
            sendID: item.message.sendID,
            notBefore: store.clock.now().advanced(by: retryAfter + policy.backoff.delay(attempt: 0)))
        })
    }
    var rest = group.prefix(admitted)
    while !rest.isEmpty {
      let (count, wait): (Int, Duration)
      do {
        (count, wait) = try await gate.reserve(rest.count, channel: channel)
        try await pause(wait)
      } catch {
        gate.abandon(rest.count, channel: channel)
        throw error
      }
      let now = Array(rest.prefix(count))
      rest = rest.dropFirst(count)
      do {
        try await claimAndCall(now, channel: channel)
      } catch {
        gate.abandon(now.count + rest.count, channel: channel)
        throw error
      }
    }
  }

  private func claimAndCall(_ group: [Incoming<SendJob>], channel: Channel) async throws {
    let began = ContinuousClock.now
    let claims = try await store.claim(group.map(\.message), owner: owner)
    claimSeconds.observe(began.duration(to: .now))
    failpoint(.claimCommitted)
    let ours = group.filter { claims.claimed.contains($0.message.sendID) }
    gate.abandon(group.count - ours.count, channel: channel)
    guard !ours.isEmpty else { return }
    let lastStart = began + lease
    let called = ContinuousClock.now
    let outcomes = await withTaskGroup(of: (Incoming<SendJob>, VendorOutcome?).self) { tasks in
      for item in ours {
        tasks.addTask { [self] in
          (item, await gate.call(item.message) { self.stopping.value == nil && ContinuousClock.now < lastStart })
        }
      }
      return await tasks.reduce(into: []) { $0.append($1) }
    }
    callSeconds.observe(called.duration(to: .now))
    await conclude(outcomes, fence: claims.fence)
  }

  /// Tells outcomes and stores retries. What cannot be told is told again until it is, or until the process must end;
  /// then the lease lapses and the send becomes UNKNOWN.
  private func conclude(_ outcomes: [(Incoming<SendJob>, VendorOutcome?)], fence: UUIDBytes) async {
    let began = ContinuousClock.now
    let now = store.clock.now()
    var updates: [KafkaRecord] = []
    var letters: [KafkaRecord] = []
    var retries: [Retry] = []
    for (item, outcome) in outcomes {
      let job = item.message
      guard let outcome else {
        retries.append(Retry(sendID: job.sendID, notBefore: now))
        continue
      }
      sends.labels(gate.vendor.name, outcome.label).add()
      switch policy.decide(outcome, attempt: job.attempt) {
      case .tell(let status, let id, let failure):
        updates.append(update(item, status, vendorMessageID: id, failure, at: now))
      case .retry(let delay):
        retries.append(Retry(sendID: job.sendID, notBefore: now.advanced(by: delay)))
      case .giveUp(let failure):
        updates.append(update(item, .failed, vendorMessageID: nil, failure, at: now))
        letters.append(
          deadLetters.deadLetter(
            for: item.record, PoisonError("attempts_exhausted", failure.message), attempts: Int(job.attempt)))
      }
    }
    let (toTell, toBury, toRetry) = (updates, letters, retries)
    failpoint(.tellBegin)
    await insist("outcomes") { try await self.tell(toTell) }
    failpoint(.tellPublished)
    await insist("retries") { try await self.store.scheduleRetries(toRetry, fence: fence) }
    await insist("dead letters") { try await self.deadLetters.publish(toBury) }
    tellSeconds.observe(began.duration(to: .now))
  }

  private func update(
    _ item: Incoming<SendJob>, _ status: SendStatus, vendorMessageID: String?, _ failure: SendError?, at now: Timestamp
  ) -> KafkaRecord {
    let job = item.message
    let update = StatusUpdate(
      sendID: job.sendID, campaignID: job.campaignID, leadID: job.leadID, status: status, attempt: job.attempt,
      vendor: gate.vendor.name, vendorMessageID: vendorMessageID, error: failure, timestamp: now)
    return Topic.statusUpdates.record(key: job.sendID.string, value: update.encoded(), trace: item.trace.child())
  }

  private func tell(_ records: [KafkaRecord]) async throws {
    guard !records.isEmpty else { return }
    for result in await producer.produce(records) { _ = try result.get() }
  }

  /// Repeats until it succeeds or the process stops.
  private func insist(_ what: String, _ act: @Sendable () async throws -> Void) async {
    let backoff = Backoff(base: .milliseconds(100), cap: .seconds(2))
    var attempt = 0
    while true {
      do { return try await act() } catch {
        log.warning("\(what) could not be told and are told again", [LogKey.error: .string("\(error)")])
      }
      do { try await pause(backoff.delay(attempt: attempt)) } catch { return }
      attempt += 1
    }
  }

  /// Waits in short steps.
  ///
  /// - Throws: `CancellationError` when the process stops.
  private func pause(_ wait: Duration) async throws {
    let until = ContinuousClock.now + wait
    while true {
      if stopping.value != nil { throw CancellationError() }
      let left = ContinuousClock.now.duration(to: until)
      if left <= .zero { return }
      try await Task.sleep(for: min(left, .milliseconds(200)))
    }
  }
}
