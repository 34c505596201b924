import BSON
import CRMCore
import CRMStore
import HTTP
import JSON
import Mongo
import Runtime

/// `/api/v1/campaigns/:id/run`, `…/status`, `…/pause`, `…/resume`, `…/cancel`: what sets a campaign going and stops it.
struct CampaignRunHandlers: Sendable {
  let gateway: Gateway

  var routes: [Route] {
    let json = Route.Body.json(limit: Route.ordinaryLimit)
    return [
      Route(
        .post, "/api/v1/campaigns/:id/run", "runCampaign", operation: .runCampaign, access: .scope(.campaignsRun),
        effect: .change(.campaign),
        body: json, idempotent: true, needs: [.database, .kafka], run
      ),
      Route(
        .post, "/api/v1/campaigns/:id/confirm", "confirmCampaign", operation: .confirmCampaign,
        access: .scope(.campaignsRun), effect: .change(.campaign), body: json, idempotent: true,
        needs: [.database, .kafka], confirm),
      Route(
        .put, "/api/v1/campaigns/:id/status", "setCampaignStatus", operation: .setCampaignStatus,
        access: .scope(.campaignsRun),
        effect: .change(.campaign), body: json, setStatus),
      Route(
        .post, "/api/v1/campaigns/:id/pause", "pauseCampaign", operation: .pauseCampaign, access: .scope(.campaignsRun),
        effect: .change(.campaign), body: json
      ) {
        try await move($0, to: .paused)
      },
      Route(
        .post, "/api/v1/campaigns/:id/resume", "resumeCampaign", operation: .resumeCampaign,
        access: .scope(.campaignsRun),
        effect: .change(.campaign), body: json
      ) {
        try await move($0, to: .running)
      },
      Route(
        .post, "/api/v1/campaigns/:id/cancel", "cancelCampaign", operation: .cancelCampaign,
        access: .scope(.campaignsRun),
        effect: .change(.campaign), body: json
      ) {
        try await move($0, to: .cancelled)
      },
    ]
  }

  private var launcher: CampaignLauncher { CampaignLauncher(gateway: gateway) }

  @Sendable private func run(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    let id = try request.objectID()
    var reader = ObjectReader(try request.jsonIfAny() ?? [:])
    let rerun = reader.bool("rerun") ?? false
    if let error = ValidationError(reader.finish()) { throw error }
    let launch = try await launcher.launch(id, rerun: rerun, request)
    return answer(launch, try await count(launch.run))
  }

  /// Launches a campaign whose schedule was found too late to be launched without asking.
  @Sendable private func confirm(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    if let json = try request.jsonIfAny() {
      var reader = ObjectReader(json)
      if let error = ValidationError(reader.finish()) { throw error }
    }
    let campaign = try await gateway.store.campaign(try request.objectID())
    let isLaunched = campaign.currentRun == request.runID
    guard campaign.confirmationRequired && campaign.status == .scheduled || isLaunched else {
      throw Problem(
        .conflict, "The campaign waits for no confirmation.",
        members: [("current_status", .string(campaign.status.rawValue))])
    }
    let launch = try await launcher.launch(campaign.id, request)
    return answer(launch, try await count(launch.run))
  }

  /// The shape that clients of `run` rely on; it has no `data`.
  private func answer(_ launch: Launch, _ totalLeads: Int?) -> HTTPResponse {
    var writer = JSONWriter(reservingCapacity: 256)
    writer.beginObject()
    writer.field("success", true)
    writer.field("message", "Campaign \"\(launch.campaign.name)\" triggered successfully")
    writer.field("totalLeads", totalLeads.map { .int(Int64($0)) } ?? .null)
    writer.field("runId", launch.run.id.string)
    writer.endObject()
    return .json(writer.bytes, status: 202)
  }

  /// How many leads the run's rule finds now; null when that takes too long or the rule cannot be understood, which the
  /// expander will say in the campaign. The launch stands either way.
  private func count(_ run: CampaignRun) async throws -> Int? {
    do {
      let rule = try gateway.audiences.understand(run.rule, timezone: run.timezone)
      let meaning = try await gateway.audiences.meaning(rule, now: run.asOf)
      return try await gateway.store.countLeads(meaning, timeoutMS: gateway.previewTimeoutMS)
    } catch is ValidationError {
      return nil
    } catch is RuleError {
      return nil
    } catch let error as MongoError where error.kind == .timeout {
      return nil
    }
  }

  @Sendable private func setStatus(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    var reader = ObjectReader(try request.json())
    let status: CampaignStatus? = reader.choice("status", required: true)
    if let error = ValidationError(reader.finish()) { throw error }
    guard let status else { throw ValidationError(field: "status", code: "required", message: "is required") }
    return try await change(request, to: status)
  }

  private func move(_ request: APIRequest, to status: CampaignStatus) async throws -> HTTPResponse {
    try request.expectNoQuery()
    if let json = try request.jsonIfAny() {
      var reader = ObjectReader(json)
      if let error = ValidationError(reader.finish()) { throw error }
    }
    return try await change(request, to: status)
  }

  /// A campaign that was never launched is launched by asking for RUNNING; everything else moves its run.
  ///
  /// The run's document decides. Its record only wakes the expander, whose sweep would find the change a little later:
  /// nobody must be kept from pausing or cancelling because Kafka is away.
  private func change(_ request: APIRequest, to status: CampaignStatus) async throws -> HTTPResponse {
    let id = try request.objectID()
    let before = try await gateway.store.campaign(id)
    if status == .running, before.status == .draft || before.status == .scheduled {
      return .data(try await launcher.launch(id, request).campaign)
    }
    let after = try await gateway.store.setStatus(campaignID: id, to: status)
    if after.status == .running || after.status == .cancelled, let runID = after.currentRun,
      gateway.context.health.isConnected(.kafka), let run = try await gateway.store.run(runID)
    {
      await launcher.tell(run, request)
    }
    return .data(try await gateway.store.campaign(id))
  }
}
