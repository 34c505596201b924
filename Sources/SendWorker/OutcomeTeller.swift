import CRMCore
import CRMMessaging
import CRMStore
import CivilTime
import Crypto
import JSON
import Kafka
import Runtime
import ServiceHost

/// Tells what became of claimed sends: outcomes and dead letters to Kafka, retries to the store.
///
/// What cannot be told is told again until it is, or until the process must end; then the claim's lease lapses and the
/// send becomes UNKNOWN.
struct OutcomeTeller: Sendable {
  typealias Item = Incoming<SendJob>

  private let store: Store
  private let producer: KafkaProducer
  private let deadLetters: DeadLetterPublisher
  private let log: Logger
  private let backoff: Backoff
  private let stopping: Latch<Void>
  private let sends: MetricFamily<Counter>
  private let notCalled: Counter
  private let seconds: Histogram

  init(_ context: ServiceContext, backoff: Backoff, stopping: Latch<Void>) {
    store = context.store
    producer = context.kafka.producer
    deadLetters = context.deadLetters(of: .sendJobs)
    log = context.log
    self.backoff = backoff
    self.stopping = stopping
    sends = context.instruments.sends
    notCalled = sends.labels(StatusUpdate.noVendor, "not_called")
    seconds = context.instruments.stage("tell")
  }

  private struct Conclusion: Sendable {
    var updates: [KafkaRecord] = []
    var letters: [KafkaRecord] = []
    var retries: [Retry] = []
    var released: [Item] = []
  }

  /// - Parameters:
  ///   - outcomes: of calls; nil where none was made.
  ///   - skipped: claimed sends that may not be made, and why.
  ///   - vendors: names of the channel's vendors in their order.
  func conclude(
    _ outcomes: [(PlannedSend<Item>, VendorOutcome?)], _ skipped: [(Item, SendError)], vendors: [String],
    position: Int, _ policy: SendPolicy, fence: UUIDBytes
  ) async {
    let began = ContinuousClock.now
    let now = store.clock.now()
    var conclusion = Conclusion()
    for (item, reason) in skipped {
      conclusion.updates.append(update(item, .skipped, vendor: StatusUpdate.noVendor, reason, at: now))
    }
    for (send, outcome) in outcomes {
      guard let outcome else {
        conclusion.released.append(send.item)
        continue
      }
      sends.labels(vendors[position], outcome.label).add()
      let item = send.item
      switch policy.decide(outcome, position: position, send.route) {
      case .tell(let status, let id, let failure):
        conclusion.updates.append(
          update(item, status, vendor: vendors[position], vendorMessageID: id, failure, at: now))
      case .retry(let retry):
        conclusion.retries.append(
          Retry(
            sendID: item.message.sendID, notBefore: now.advanced(by: wait(retry.wait)),
            vendor: vendors[retry.position], isAmbiguous: retry.isAmbiguous))
      case .giveUp(let failure):
        conclusion.updates.append(update(item, .failed, vendor: vendors[position], failure, at: now))
        conclusion.letters.append(
          deadLetters.deadLetter(
            for: item.record, PoisonError(DeadLetterClass.attemptsExhausted, failure.message),
            attempts: Int(send.route.calls) + 1))
      }
    }
    await tell(conclusion, fence: fence)
    seconds.observe(began.duration(to: .now))
  }

  /// A failure whose dead letter was lost could not be replayed, so the letters go first.
  private func tell(_ conclusion: Conclusion, fence: UUIDBytes) async {
    failpoint(.tellBegin)
    await insist("dead letters") { try await deadLetters.publish(conclusion.letters) }
    await insist("outcomes") { try await publish(conclusion.updates) }
    failpoint(.tellPublished)
    await insist("retries") { try await store.scheduleRetries(conclusion.retries, fence: fence) }
    await release(conclusion.released, fence: fence)
  }

  /// Lets go of claimed sends for which no vendor was called.
  func release(_ items: [Item], fence: UUIDBytes) async {
    guard !items.isEmpty else { return }
    notCalled.add(items.count)
    await insist("claims that were not used") { try await store.release(items.map(\.message.sendID), fence: fence) }
  }

  /// Tells that sends cannot be decided, and are not called again.
  func tellUnknown(_ items: [(Item, SendError)]) async {
    guard !items.isEmpty else { return }
    let now = store.clock.now()
    let updates = items.map { update($0, .unknown, vendor: StatusUpdate.noVendor, $1, at: now) }
    await insist("outcomes") { try await publish(updates) }
  }

  /// Tells what came of a single send.
  func tell(
    _ item: Item, _ status: SendStatus, vendor: String, vendorMessageID: String? = nil, _ failure: SendError?
  ) async {
    let update = update(
      item, status, vendor: vendor, vendorMessageID: vendorMessageID, failure, at: store.clock.now())
    await insist("outcomes") { try await publish([update]) }
  }

  private func wait(_ wait: SendRetry.Wait) -> Duration {
    switch wait {
    case .none: .zero
    case .backoff(let step, let atLeast): max(atLeast, backoff.delay(attempt: step))
    }
  }

  private func update(
    _ item: Item, _ status: SendStatus, vendor: String, vendorMessageID: String? = nil, _ failure: SendError?,
    at now: Timestamp
  ) -> KafkaRecord {
    let job = item.message
    let update = StatusUpdate(
      sendID: job.sendID, campaignID: job.campaignID, leadID: job.leadID, status: status, attempt: job.attempt,
      vendor: vendor, vendorMessageID: vendorMessageID, error: failure, timestamp: now)
    return Topic.statusUpdates.record(key: job.sendID.string, value: update.encoded(), trace: item.trace.child())
  }

  private func publish(_ records: [KafkaRecord]) async throws {
    guard !records.isEmpty else { return }
    try await producer.produceAll(records)
  }

  /// Repeats until it succeeds or the process stops.
  private func insist(_ what: String, _ act: @Sendable () async throws -> Void) async {
    let backoff = Backoff(base: .milliseconds(100), cap: .seconds(2))
    var attempt = 0
    while true {
      do { return try await act() } catch {
        log.warning("\(what) could not be told and are told again", [LogKey.error: .string("\(error)")])
      }
      do { try await stopping.pause(backoff.delay(attempt: attempt)) } catch { return }
      attempt += 1
    }
  }
}
