import CRMStore
import HTTP

/// `…/export`: many people's data as files.
struct ExportHandlers: Sendable {
  let gateway: Gateway

  var routes: [Route] {
    [
      Route(
        .get, "/api/v1/leads/export", "exportLeads", operation: .exportLeads, access: .scope(.leadsExport),
        effect: .export(.lead), leads),
      Route(
        .get, "/api/v1/campaigns/:id/export", "exportCampaign", operation: .exportCampaign,
        access: .scope(.leadsExport), effect: .export(.campaign), campaign),
    ]
  }

  @Sendable private func leads(_ request: APIRequest) async throws -> HTTPResponse {
    var reader = request.query
    var query = LeadQuery(order: ListOrder(field: "_id", ascending: true), start: .page(1), limit: 1)
    let segmentID = reader.leadFilter(into: &query)
    try reader.finish()
    let wanted = try await gateway.audiences.narrowed(query, toSegment: segmentID)
    let export = try await gateway.audiences.inTime { try await LeadExport(wanted, store: gateway.store) }
    return .csv(export, as: "leads", for: request)
  }

  @Sendable private func campaign(_ request: APIRequest) async throws -> HTTPResponse {
    let id = try request.objectID()
    var reader = request.query
    let run = reader.uuid("run_id")
    try reader.finish()
    let pages = try await gateway.store.sendPages(ofCampaign: id, run: run)
    return .csv(CampaignExport(pages), as: "campaign-\(id.hex)", for: request)
  }
}
