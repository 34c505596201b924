import CRMCore
import CRMMessaging
import CRMStore
import CivilTime
import JSON
import Kafka
import Runtime
import ServiceHost
import Synchronization

/// Asks vendors about sends that nobody can decide, and about those that have been SENT for long without a receipt; one
/// replica at a time.
///
/// What a vendor says is told as evidence, like every outcome and receipt. What nothing resolves within the deadline stays
/// UNKNOWN, or is sent again under the same send id where the campaign's policy says so.
struct Inquirer: Sendable {
  private let store: Store
  private let producer: KafkaProducer
  private let roster: VendorRoster
  private let policy: InquiryPolicy
  private let log: Logger
  private let deadlineSeconds: Int
  private let sentAskAfter: Int
  private let inquiries: MetricFamily<Counter>

  private static let leaseSeconds = 15
  /// Sends asked about in a round, and how many at once.
  private static let round = 200
  private static let atOnce = 8
  private static let chunksARound = 20

  init(_ context: ServiceContext, _ roster: VendorRoster) {
    store = context.store
    producer = context.kafka.producer
    self.roster = roster
    log = context.log
    deadlineSeconds = context.settings[CRMSettings.unknownDeadline]
    sentAskAfter = context.settings[CRMSettings.sentAskAfter]
    policy = InquiryPolicy(deadline: .seconds(deadlineSeconds))
    inquiries = context.metrics.counter(
      "minicrm_inquiries_total", help: "Questions to vendors about single sends, by what followed.",
      labels: ["vendor", "result"])
  }

  /// Asks as a service of the process.
  func service(_ context: ServiceContext) -> LeasedRounds {
    LeasedRounds(
      context, name: "inquirer", leaseSeconds: Self.leaseSeconds,
      interval: .milliseconds(context.settings[CRMSettings.inquiryInterval]), round: ask)
  }

  @Sendable private func ask() async throws {
    _ = try await store.markOldSends(afterSeconds: sentAskAfter, limit: Self.chunksARound)
    let open = try await store.takeInquiries(limit: Self.round, deadlineSeconds: deadlineSeconds)
    guard !open.isEmpty else { return }
    let silent = SilentVendors()
    let decided = await withTaskGroup(of: (OpenInquiry, InquiryDecision).self) { tasks in
      var decided: [(OpenInquiry, InquiryDecision)] = []
      for (index, inquiry) in open.enumerated() {
        if index >= Self.atOnce, let done = await tasks.next() { decided.append(done) }
        tasks.addTask { [self] in (inquiry, policy.decide(await answer(inquiry, silent), inquiry.inquiry)) }
      }
      return await tasks.reduce(into: decided) { $0.append($1) }
    }
    try await tell(decided)
    var again: [OpenInquiry] = []
    var finished: [OpenInquiry] = []
    for (inquiry, decision) in decided {
      inquiries.labels(inquiry.vendor ?? StatusUpdate.noVendor, decision.label).add()
      if decision == .resend { again.append(inquiry) }
      if decision == .stop { finished.append(inquiry) }
    }
    try await store.stopAsking(finished.map(\.sendID))
    let resent = try await store.resend(again.map { ($0.sendID, $0.attempt) })
    if resent > 0 {
      log.info("undecided sends are sent again, as their campaigns' policy says", [LogKey.count: .int(Int64(resent))])
    }
  }

  /// A vendor that was silent once is not asked again in this round, so that a round stays short.
  private func answer(_ inquiry: OpenInquiry, _ silent: SilentVendors) async -> VendorAnswer {
    guard let name = inquiry.vendor, let vendor = roster.vendor(named: name) else { return .cannotBeAsked }
    if silent.contains(name) { return .unavailable }
    let answer = await vendor.ask(inquiry.sendID)
    if answer == .unavailable { silent.insert(name) }
    return answer
  }

  /// That a vendor has the message is an outcome; what became of it there is a receipt that nobody had sent.
  private func tell(_ decided: [(OpenInquiry, InquiryDecision)]) async throws {
    let now = store.clock.now()
    var records: [KafkaRecord] = []
    for (inquiry, decision) in decided {
      guard case .tell(let messages) = decision, let vendor = inquiry.vendor else { continue }
      for message in messages { records.append(record(inquiry, message, vendor: vendor, at: now)) }
    }
    guard !records.isEmpty else { return }
    try await producer.produceAll(records)
  }

  private func record(
    _ inquiry: OpenInquiry, _ message: VendorMessage, vendor: String, at now: Timestamp
  ) -> KafkaRecord {
    if message.status == .sent {
      let update = StatusUpdate(
        sendID: inquiry.sendID, campaignID: inquiry.campaignID, leadID: inquiry.leadID, status: .sent,
        attempt: inquiry.attempt, vendor: vendor, vendorMessageID: message.vendorMessageID, timestamp: message.at)
      return Topic.statusUpdates.record(key: inquiry.sendID.string, value: update.encoded(), trace: TraceContext())
    }
    let receipt = DeliveryReceipt(
      sendID: inquiry.sendID, vendor: vendor, vendorMessageID: message.vendorMessageID, status: message.status,
      error: message.error, timestamp: message.at, receivedAt: now)
    return Topic.receipts.record(key: inquiry.sendID.string, value: receipt.encoded(), trace: TraceContext())
  }
}

/// Vendors that did not answer in this round.
private final class SilentVendors: Sendable {
  private let names = Mutex<Set<String>>([])

  func contains(_ name: String) -> Bool { names.withLock { $0.contains(name) } }
  func insert(_ name: String) { names.withLock { _ = $0.insert(name) } }
}

extension InquiryDecision {
  fileprivate var label: String {
    switch self {
    case .tell: "resolved"
    case .askAgain: "open"
    case .resend: "sent_again"
    case .stop: "given_up"
    }
  }
}
