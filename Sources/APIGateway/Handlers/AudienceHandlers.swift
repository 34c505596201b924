import BSON
import CRMCore
import CRMStore
import Crypto
import HTTP
import JSON

/// `/api/v1/campaigns/:id/audience`: who is in a run's frozen audience, why, and whether it is still what was frozen.
struct AudienceHandlers: Sendable {
  let gateway: Gateway

  var routes: [Route] {
    [
      Route(
        .get, "/api/v1/campaigns/:id/audience", "listAudience", operation: .listAudience,
        access: .scope(.campaignsRead), list),
      Route(
        .get, "/api/v1/campaigns/:id/audience/:lead_id", "explainAudienceMember", operation: .explainAudienceMember,
        access: .scope(.campaignsRead), explain),
      Route(
        .post, "/api/v1/campaigns/:id/audience/verify", "verifyAudience", operation: .verifyAudience,
        access: .scope(.campaignsRead), effect: .nothing, body: .json(limit: Route.ordinaryLimit), verify),
    ]
  }

  /// Chunks in their order, each with its leads.
  @Sendable private func list(_ request: APIRequest) async throws -> HTTPResponse {
    let id = try request.objectID()
    var reader = request.query
    let page = reader.page(in: Store.audienceOrder)
    let wanted = reader.uuid("run_id")
    try reader.finish()
    guard let run = try await gateway.store.runStats(ofCampaign: id, run: wanted).run else {
      return .page(ListPage<AudienceChunk>(elements: [], total: 0, next: nil), page) { _, _ in }
    }
    let found = try await gateway.store.audience(ofRun: run.id, start: page.start, limit: page.limit)
    return .page(found, page) { chunk, writer in
      var object = Self.describe(chunk)
      object["lead_ids"] = .array(chunk.leadIDs.map { .string($0.hex) })
      writer.value(.object(object))
    }
  }

  /// Why a lead is in the run, or that it is not.
  @Sendable private func explain(_ request: APIRequest) async throws -> HTTPResponse {
    let id = try request.objectID()
    let lead = try request.objectID("lead_id")
    var reader = request.query
    let wanted = reader.uuid("run_id")
    try reader.finish()
    guard let run = try await gateway.store.runStats(ofCampaign: id, run: wanted).run else {
      throw Problem(.notFound, "The campaign has never run: it has no audience.")
    }
    let chunk = try await gateway.store.chunk(run: run.id, ofLead: lead)
    var object: JSONObject = [
      "campaign_id": .string(id.hex), "run_id": .string(run.id.string), "lead_id": .string(lead.hex),
      "in_audience": .bool(chunk != nil),
      "reason": .string(Self.reason(chunk, run)), "as_of": .string(run.asOf.description),
      "timezone": .string(run.timezone), "rule_ast": run.rule,
      "rule": Self.text((try? Rule.decode(run.rule))?.explanation()),
      "audience": .int(run.audience), "audience_hash": Self.text(run.audienceHash), "frozen": .bool(run.frozen),
    ]
    if let chunk {
      object["chunk"] = .object(Self.describe(chunk))
      let send = SendID.make(run: run.id, lead: lead, channel: run.channel)
      object["send_id"] = .string(send.string)
    }
    return .data(.object(object))
  }

  private static func reason(_ chunk: AudienceChunk?, _ run: CampaignRun) -> String {
    switch chunk?.origin {
    case .rule: "it matched the segment's rule, as the rule was at the launch, when its page was frozen"
    case .manual: "somebody appended it by hand to the run's audience"
    case nil where run.frozen: "it did not match the segment's rule when the audience was frozen, or came later"
    case nil: "the audience is still being frozen and does not hold it yet"
    }
  }

  /// Reads the whole audience and compares its fingerprint with the one that the freezing left.
  @Sendable private func verify(_ request: APIRequest) async throws -> HTTPResponse {
    let id = try request.objectID()
    if let json = try request.jsonIfAny() {
      var reader = ObjectReader(json)
      if let error = ValidationError(reader.finish()) { throw error }
    }
    var reader = request.query
    let wanted = reader.uuid("run_id")
    try reader.finish()
    guard let run = try await gateway.store.runStats(ofCampaign: id, run: wanted).run else {
      throw Problem(.notFound, "The campaign has never run: it has no audience.")
    }
    let check = try await gateway.store.checkAudience(of: run)
    return .data([
      "run_id": .string(run.id.string), "matches": .bool(check.matches), "frozen": .bool(check.isFrozen),
      "audience_hash": Self.text(check.recorded), "computed_hash": Self.text(check.computed),
      "chunks": .int(check.chunks), "leads": .int(check.leads), "manual_leads": .int(check.manualLeads),
      "audience": .int(check.recordedLeads),
    ])
  }

  private static func text(_ text: String?) -> JSONValue { text.map { .string($0) } ?? .null }

  private static func describe(_ chunk: AudienceChunk) -> JSONObject {
    [
      "_id": .string(chunk.id.hex), "sequence": .int(chunk.sequence), "origin": .string(chunk.origin.rawValue),
      "leads": .int(Int64(chunk.leadIDs.count)), "expanded": .bool(chunk.expanded),
      "frozen_at": .string(chunk.createdAt.description),
    ]
  }
}
