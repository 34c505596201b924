import BSON
import CRMCore
import CRMMessaging
import CRMStore
import HTTP
import JSON

/// `/api/v1/leads`
struct LeadHandlers: Sendable {
  let gateway: Gateway

  var routes: [Route] {
    [
      Route(.get, "/api/v1/leads", "listLeads", operation: .listLeads, access: .scope(.leadsRead), list),
      Route(
        .post, "/api/v1/leads", "createLead", operation: .createLead, access: .scope(.leadsWrite),
        effect: .change(.lead),
        body: .json(limit: Route.ordinaryLimit), idempotent: true, create),
      Route(
        .post, "/api/v1/leads/bulk", "bulkUpsertLeads", operation: .bulkUpsertLeads, access: .scope(.leadsWrite),
        effect: .bulk(.lead),
        body: .json(limit: Route.bulkLimit), idempotent: true,
        bulk.handle),
      Route(.get, "/api/v1/leads/:id", "getLead", operation: .getLead, access: .scope(.leadsRead), show),
    ]
  }

  private var bulk: BulkHandler<LeadInput> {
    BulkHandler(
      bulk: BulkRequest(
        kind: .leads, member: "leads", decode: { LeadInput.decode($0, path: $1) }, store: gateway.store.upsertLeads),
      recordKind: .lead, store: gateway.store, producer: gateway.producer)
  }

  enum SortField: String, CaseIterable {
    case name
    case totalSpend = "total_spend"
    case visits
    case createdAt = "created_at"
    case lastOrderAt = "last_order_at"
  }

  @Sendable private func list(_ request: APIRequest) async throws -> HTTPResponse {
    var reader = request.query
    let page = reader.page(
      sortedBy: SortField.self, fallback: ListOrder(field: "created_at", ascending: false), field: \.rawValue)
    var query = LeadQuery(order: page.order, start: page.start, limit: page.limit)
    query.search = reader.text("search", length: 0...200).flatMap { $0.isEmpty ? nil : $0 }
    query.minSpend = reader.number("min_spend")
    query.maxSpend = reader.number("max_spend")
    query.tag = reader.text("tag", length: 1...100)
    let segmentID = reader.objectID("segment_id")
    try reader.finish()
    if let segmentID {
      query.timeoutMS = gateway.previewTimeoutMS
      query.segment = try await gateway.audiences.meaning(ofSegment: segmentID)
    }
    let wanted = query
    let found = try await gateway.audiences.inTime { try await gateway.store.leads(wanted) }
    return .page(found, page) { lead, writer in lead.write(to: &writer) }
  }

  @Sendable private func create(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    let input = try LeadInput.decode(try request.json()).get()
    let lead = try await gateway.store.createLead(input, id: request.effectID)
    return .created(lead, at: "/api/v1/leads/\(lead.id.hex)")
  }

  @Sendable private func show(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    return .data(try await gateway.store.lead(try request.objectID()))
  }
}
