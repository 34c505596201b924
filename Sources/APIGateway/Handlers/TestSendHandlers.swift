import BSON
import CRMCore
import CRMMessaging
import CRMStore
import HTTP
import JSON
import Kafka

/// `/api/v1/campaigns/:id/test-send` and `…/test-sends`: a campaign's message, sent to addresses of one's own.
struct TestSendHandlers: Sendable {
  let gateway: Gateway

  var routes: [Route] {
    [
      Route(
        .post, "/api/v1/campaigns/:id/test-send", "testSendCampaign", operation: .testSendCampaign,
        access: .scope(.campaignsRun), effect: .change(.campaign), body: .json(limit: Route.ordinaryLimit),
        idempotent: true, needs: [.database, .kafka], send),
      Route(
        .get, "/api/v1/campaigns/:id/test-sends", "listTestSends", operation: .listTestSends,
        access: .scope(.campaignsRead), list),
    ]
  }

  /// The rows are written before their records: a send whose record is lost stays QUEUED, and no worker makes one that
  /// has no row.
  @Sendable private func send(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    let campaign = try await gateway.store.campaign(try request.objectID())
    let input = try TestSendInput.decode(try request.json(), channel: campaign.channel)
    let segment = try await gateway.store.segment(campaign.segmentID)
    let lead = try await lead(input, campaign)
    let message = try CampaignPreview.message(campaign, lead, in: CalendarZone(identifier: segment.timezone) ?? .utc)
    let now = gateway.clock.now()
    let sends = input.to.enumerated().map { index, address in
      TestSend(
        request: request.effectID, index: index, campaign: campaign, lead: lead.id, to: address, message: message,
        by: request.author, at: now)
    }
    try await gateway.store.addTestSends(sends)
    let records = sends.map { send in
      Topic.sendJobs.record(key: send.leadID.hex, value: send.job.encoded(), trace: request.trace.child())
    }
    try await gateway.producer.produceAll(records)
    return .data(.array(sends.map { LogEntry($0.document).jsonValue }), status: 202)
  }

  /// Whose values the message has: the lead that the request names, else the segment's first.
  private func lead(_ input: TestSendInput, _ campaign: Campaign) async throws -> Lead {
    if let id = input.leadID {
      if let lead = try await gateway.store.leads([id]).first { return lead }
      throw Problem(
        .unknownReference, "There is no such lead.",
        errors: [FieldError(field: "lead_id", code: "unknown_lead", message: "there is no lead \(id.hex)")])
    }
    guard let first = try await gateway.audiences.firstLeads(1, ofSegment: campaign.segmentID).first else {
      throw Problem(
        .impossibleMessage, "The segment has no lead whose values the message could have; name one by lead_id.")
    }
    return first
  }

  @Sendable private func list(_ request: APIRequest) async throws -> HTTPResponse {
    let id = try request.objectID()
    var reader = request.query
    let page = reader.page(in: ListOrder(field: "created_at", ascending: false))
    try reader.finish()
    let found = try await gateway.store.testSends(ofCampaign: id, start: page.start, limit: page.limit)
    return .page(found, page) { entry, writer in entry.write(to: &writer) }
  }
}
