import BSON
import CRMCore
import CRMStore
import CivilTime
import HTTP
import JSON

/// `/api/v1/campaigns`: the campaigns themselves. What sets them going is in `CampaignRunHandlers`.
struct CampaignHandlers: Sendable {
  let gateway: Gateway

  var routes: [Route] {
    let json = Route.Body.json(limit: Route.ordinaryLimit)
    return [
      Route(
        .get, "/api/v1/campaigns", "listCampaigns", operation: .listCampaigns, access: .scope(.campaignsRead), list),
      Route(
        .post, "/api/v1/campaigns", "createCampaign", operation: .createCampaign, access: .scope(.campaignsWrite),
        effect: .change(.campaign),
        body: json, idempotent: true, create),
      Route(
        .get, "/api/v1/campaigns/:id", "getCampaign", operation: .getCampaign, access: .scope(.campaignsRead), show),
      Route(
        .put, "/api/v1/campaigns/:id", "updateCampaign", operation: .updateCampaign, access: .scope(.campaignsWrite),
        effect: .change(.campaign),
        body: json, update),
      Route(
        .delete, "/api/v1/campaigns/:id", "deleteCampaign", operation: .deleteCampaign, access: .scope(.campaignsWrite),
        effect: .change(.campaign),
        delete),
      Route(
        .get, "/api/v1/campaigns/:id/stats", "getCampaignStats", operation: .getCampaignStats,
        access: .scope(.campaignsRead), stats),
      Route(
        .get, "/api/v1/campaigns/:id/logs", "listCampaignLogs", operation: .listCampaignLogs,
        access: .scope(.campaignsRead), logs),
      Route(
        .post, "/api/v1/campaigns/:id/preview", "previewCampaign", operation: .previewCampaign,
        access: .scope(.campaignsRead), effect: .nothing,
        body: json, preview),
    ]
  }

  enum SortField: String, CaseIterable {
    case name
    case createdAt = "created_at"
    case updatedAt = "updated_at"
  }

  @Sendable private func list(_ request: APIRequest) async throws -> HTTPResponse {
    var reader = request.query
    let page = reader.page(
      sortedBy: SortField.self, fallback: ListOrder(field: "created_at", ascending: false), field: \.rawValue)
    var query = CampaignQuery(order: page.order, start: page.start, limit: page.limit)
    query.status = reader.choice("status")
    query.search = reader.text("search", length: 0...200).flatMap { $0.isEmpty ? nil : $0 }
    try reader.finish()
    return .page(try await gateway.store.campaigns(query), page) { campaign, writer in campaign.write(to: &writer) }
  }

  /// Makes a campaign and, with `send`, launches it; a time launches it, too.
  @Sendable private func create(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    let input = try CampaignInput.decode(try request.json(), author: request.author).get()
    if input.send || input.scheduleAt != nil { try request.require(.campaignsRun) }
    // Before anything is stored: who reads 503 makes the campaign again.
    if input.send { try gateway.expectKafka() }
    let now = gateway.clock.now()
    // A repetition under an idempotency key may come when the time that was good has passed.
    if !request.isRetry { try await check(scheduleAt: input.scheduleAt, segmentID: input.segmentID, now) }
    var campaign: Campaign
    do {
      campaign = try await gateway.store.createCampaign(input.newCampaign(id: request.effectID, at: now))
    } catch StoreError.invalid(let errors) {
      throw Problem(.unknownReference, "The campaign refers to something that does not exist.", errors: errors)
    }
    if input.send {
      let launcher = CampaignLauncher(gateway: gateway)
      campaign = try await launcher.launch(campaign.id, request, mustBeAcknowledged: false).campaign
    }
    return .created(campaign, at: "/api/v1/campaigns/\(campaign.id.hex)")
  }

  /// Refuses a time that has passed, and says in the same answer when the segment is not there either.
  private func check(scheduleAt: Timestamp?, segmentID: ObjectID?, _ now: Timestamp) async throws {
    guard let scheduleAt, scheduleAt <= now else { return }
    var errors = [FieldError.pastSchedule(now)]
    if let segmentID {
      do {
        _ = try await gateway.store.segment(segmentID)
      } catch StoreError.notFound {
        errors.append(.unknownSegment)
      }
    }
    throw Problem(.impossibleSchedule, "schedule_at is in the past.", errors: errors)
  }

  @Sendable private func show(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    return .data(try await gateway.store.campaign(try request.objectID()))
  }

  @Sendable private func update(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    let id = try request.objectID()
    let change = try CampaignChange.decode(try request.json()).get()
    if change.scheduleAt != nil { try request.require(.campaignsRun) }
    try await check(scheduleAt: change.scheduleAt, segmentID: change.segmentID, gateway.clock.now())
    do {
      return .data(try await gateway.store.updateCampaign(id, change))
    } catch StoreError.invalid(let errors) {
      throw Problem(.unknownReference, "The campaign refers to something that does not exist.", errors: errors)
    }
  }

  @Sendable private func delete(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    let id = try request.objectID()
    try await gateway.store.deleteCampaign(id)
    return .data(["_id": .string(id.hex), "deleted": true])
  }

  @Sendable private func stats(_ request: APIRequest) async throws -> HTTPResponse {
    let id = try request.objectID()
    var reader = request.query
    let run = reader.uuid("run_id")
    try reader.finish()
    return .data(try await gateway.store.runStats(ofCampaign: id, run: run))
  }

  @Sendable private func logs(_ request: APIRequest) async throws -> HTTPResponse {
    let id = try request.objectID()
    var reader = request.query
    let page = reader.page(in: LogQuery.order)
    var query = LogQuery(start: page.start, limit: page.limit)
    query.status = reader.choice("status")
    query.search = reader.text("search", length: 0...200).flatMap { $0.isEmpty ? nil : $0 }
    let run = reader.uuid("run_id")
    try reader.finish()
    let found = try await gateway.store.logs(ofCampaign: id, run: run, query)
    return .page(found, page) { entry, writer in entry.write(to: &writer) }
  }

  /// What leads would get: those named, or the first of the segment.
  @Sendable private func preview(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    let id = try request.objectID()
    let choice = try CampaignPreview.decode(try request.jsonIfAny())
    let campaign = try await gateway.store.campaign(id)
    let leads: [Lead]
    switch choice {
    case .first(let count):
      leads = try await gateway.audiences.firstLeads(count, ofSegment: campaign.segmentID)
    case .leads(let ids):
      leads = try await gateway.store.leads(ids)
    }
    let segment = try await gateway.store.segment(campaign.segmentID)
    let zone = CalendarZone(identifier: segment.timezone) ?? .utc
    return .data(try CampaignPreview.render(campaign, leads, in: zone, asked: choice))
  }
}
