import BSON
import CRMCore
import CRMMessaging
import CRMStore
import CivilTime
import Crypto
import Kafka
import Runtime
import ServiceHost

/// Publishes jobs and waits for the broker's acknowledgement of each.
struct JobPublisher: Sendable {
  private let producer: KafkaProducer

  init(_ context: ServiceContext) { producer = context.kafka.producer }

  /// - Throws: `KafkaError`; publishing again is safe, since every consumer recognises what it has done.
  func publish(_ chunks: [AudienceChunk], of run: CampaignRun, trace: TraceContext) async throws {
    try await publish(
      chunks.map { chunk in
        Topic.campaignJobs.record(
          key: run.campaignID.hex,
          value: CampaignJob.chunk(campaignID: run.campaignID, runID: run.id, leadIDs: chunk.leadIDs).encoded(),
          trace: trace.child())
      })
  }

  func publishLaunch(of run: CampaignRun, trace: TraceContext) async throws {
    try await publish([
      Topic.campaignJobs.record(
        key: run.campaignID.hex, value: CampaignJob.launch(campaignID: run.campaignID, runID: run.id).encoded(),
        trace: trace)
    ])
  }

  func publish(_ jobs: [SendJob], trace: TraceContext) async throws {
    try await publish(
      jobs.map { Topic.sendJobs.record(key: $0.leadID.hex, value: $0.encoded(), trace: trace) })
  }

  /// Claims that lapsed, told like any other outcome.
  func publishUnknown(_ sendIDs: [UUIDBytes], of chunk: AudienceChunk, _ run: CampaignRun, now: Timestamp) async throws
  {
    let leads = Dictionary(
      chunk.leadIDs.map { (SendID.make(run: run.id, lead: $0, channel: run.channel), $0) }, uniquingKeysWith: { $1 })
    try await publish(
      sendIDs.compactMap { id in
        leads[id].map { lead in
          StatusUpdate(
            sendID: id, campaignID: run.campaignID, leadID: lead, status: .unknown, attempt: 1,
            vendor: StatusUpdate.noVendor,
            vendorMessageID: nil,
            error: SendError(
              errorClass: "lease_lapsed", message: "the worker that claimed this send told no outcome in time"),
            timestamp: now)
        }
      }.map { Topic.statusUpdates.record(key: $0.sendID.string, value: $0.encoded(), trace: TraceContext()) })
  }

  private func publish(_ records: [KafkaRecord]) async throws {
    guard !records.isEmpty else { return }
    try await producer.produceAll(records)
  }
}
