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

  /// - Parameter mustBeAcknowledged: whether a record that is not acknowledged is an error, though the run stands. It is none
  ///   to a client that would then make another campaign.
  func launch(
    _ id: ObjectID, rerun: Bool = false, _ request: APIRequest, mustBeAcknowledged: Bool = true
  ) async throws -> Launch {
    failpoint(.acceptBegin)
    let launch = try await gateway.store.launch(campaignID: id, rerun: rerun, runID: request.runID)
    failpoint(.acceptWritten)
    if mustBeAcknowledged { try await publish(launch.run, request) } else { await tell(launch.run, request) }
    failpoint(.acceptPublished)
    return launch
  }

  /// How long a run's record may take where the run stands in any case.
  private static let patience = Duration.seconds(5)

  /// Tells the expander, and waits a little for the acknowledgement; what it is not told, its sweep finds.
  func tell(_ run: CampaignRun, _ request: APIRequest) async {
    let isOver = Latch<Void>()
    Task {
      do {
        try await publish(run, request)
      } catch {
        request.log.warning(
          "a run's state was not published; a sweep will find it",
          [
            LogKey.requestID: .string(request.http.id), LogKey.runID: .string(run.id.string),
            LogKey.error: .string("\(error)"),
          ])
      }
      isOver.set(())
    }
    let timer = isOver.set((), after: Self.patience)
    _ = await isOver.wait()
    timer.cancel()
  }

  /// Tells the expander to act on a run's state.
  func publish(_ run: CampaignRun, _ request: APIRequest) async throws {
    let job = CampaignJob.launch(campaignID: run.campaignID, runID: run.id)
    try await gateway.producer.produce(
      Topic.campaignJobs.record(key: run.campaignID.hex, value: job.encoded(), trace: request.trace))
  }
}
