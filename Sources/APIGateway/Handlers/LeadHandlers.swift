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
      Route(
        .put, "/api/v1/leads/:id", "replaceLead", operation: .replaceLead, access: .scope(.leadsWrite),
        effect: .change(.lead), body: .json(limit: Route.ordinaryLimit), replace),
      Route(
        .patch, "/api/v1/leads/:id", "patchLead", operation: .patchLead, access: .scope(.leadsWrite),
        effect: .change(.lead), body: .json(limit: Route.ordinaryLimit), patch),
      Route(
        .delete, "/api/v1/leads/:id", "deleteLead", operation: .deleteLead, access: .scope(.leadsWrite),
        effect: .change(.lead), delete),
      Route(
        .get, "/api/v1/leads/:id/timeline", "getLeadTimeline", operation: .getLeadTimeline,
        access: .scope(.leadsRead), timeline),
    ]
  }

  private var bulk: BulkHandler<LeadInput> {
    BulkHandler(
      bulk: BulkRequest(
        kind: .leads, member: "leads", decode: { LeadInput.decode($0, path: $1) },
        store: { try await gateway.store.upsertLeads($0) }),
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
    let segmentID = reader.leadFilter(into: &query)
    try reader.finish()
    let wanted = try await gateway.audiences.narrowed(query, toSegment: segmentID)
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

  @Sendable private func replace(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    let id = try request.objectID()
    return .data(try await gateway.store.editLead(id, try LeadEdit.replacement(try request.json()).get()))
  }

  @Sendable private func patch(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    let id = try request.objectID()
    return .data(try await gateway.store.editLead(id, try LeadEdit.patch(try request.mergePatch()).get()))
  }

  @Sendable private func delete(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    let id = try request.objectID()
    try await gateway.store.deleteLead(id)
    return .data(["_id": .string(id.hex), "deleted": true])
  }

  @Sendable private func timeline(_ request: APIRequest) async throws -> HTTPResponse {
    let id = try request.objectID()
    var reader = request.query
    let page = reader.keyset(in: TimelineEntry.order)
    try reader.finish()
    var cursor: ListCursor?
    if case .after(let place) = page.start { cursor = place }
    let found = try await gateway.store.timeline(ofLead: id, after: cursor, limit: page.limit)
    return .page(found, page) { entry, writer in entry.write(to: &writer) }
  }
}

extension QueryReader {
  /// Reads which leads are wanted.
  ///
  /// - Returns: the segment that they must be in.
  mutating func leadFilter(into query: inout LeadQuery) -> ObjectID? {
    query.search = text("search", length: 0...200).flatMap { $0.isEmpty ? nil : $0 }
    query.minSpend = number("min_spend")
    query.maxSpend = number("max_spend")
    query.tag = text("tag", length: 1...100)
    return objectID("segment_id")
  }
}
