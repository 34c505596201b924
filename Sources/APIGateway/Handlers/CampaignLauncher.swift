import BSON
import CRMCore
import CRMMessaging
import CRMStore
import Kafka
import Runtime

/// Launches campaigns: the run is written first, then its record is published and acknowledged.
///
/// When the record is not acknowledged the run exists all the same; the expander's sweeper publishes it again, and so
/// does the client that repeats the request.
struct CampaignLauncher: Sendable {
  let gateway: Gateway

  func launch(_ id: ObjectID, rerun: Bool = false, _ request: APIRequest) async throws -> Launch {
    failpoint(.acceptBegin)
    let launch = try await gateway.store.launch(campaignID: id, rerun: rerun, runID: request.runID)
    failpoint(.acceptWritten)
    try await publish(launch.run, request)
    failpoint(.acceptPublished)
    return launch
  }

  /// Tells the expander to act on a run's state.
  func publish(_ run: CampaignRun, _ request: APIRequest) async throws {
    let job = CampaignJob.launch(campaignID: run.campaignID, runID: run.id)
    try await gateway.producer.produce(
      Topic.campaignJobs.record(key: run.campaignID.hex, value: job.encoded(), trace: request.trace))
  }
}
