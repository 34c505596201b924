import BSON
import CRMCore
import CRMStore
import CivilTime
import HTTP
import JSON
import Mongo

/// `/api/v1/segments`
struct SegmentHandlers: Sendable {
  let gateway: Gateway

  var routes: [Route] {
    let json = Route.Body.json(limit: Route.ordinaryLimit)
    return [
      Route(.get, "/api/v1/segments", "listSegments", operation: .listSegments, access: .scope(.segmentsRead), list),
      Route(
        .post, "/api/v1/segments", "createSegment", operation: .createSegment, access: .scope(.segmentsWrite),
        effect: .change(.segment),
        body: json, idempotent: true, create),
      Route(
        .post, "/api/v1/segments/preview", "previewSegment", operation: .previewSegment, access: .scope(.segmentsRead),
        effect: .nothing,
        body: json, preview),
      Route(.get, "/api/v1/segments/:id", "getSegment", operation: .getSegment, access: .scope(.segmentsRead), show),
      Route(
        .put, "/api/v1/segments/:id", "replaceSegment", operation: .replaceSegment, access: .scope(.segmentsWrite),
        effect: .change(.segment),
        body: json, replace),
      Route(
        .delete, "/api/v1/segments/:id", "deleteSegment", operation: .deleteSegment, access: .scope(.segmentsWrite),
        effect: .change(.segment),
        delete),
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
    let search = reader.text("search", length: 0...200).flatMap { $0.isEmpty ? nil : $0 }
    try reader.finish()
    let found = try await gateway.store.segments(
      search: search, order: page.order, start: page.start, limit: page.limit)
    return .page(found, page) { segment, writer in segment.write(to: &writer) }
  }

  @Sendable private func create(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    let (input, rule) = try read(request)
    try await gateway.audiences.check(rule, asSegment: request.effectID)
    let now = gateway.clock.now()
    let segment = try await gateway.store.createSegment(
      Segment(
        id: request.effectID, name: input.name,
        ownerUserID: input.ownerUserID ?? (request.caller.isIdentified ? request.caller.id : nil),
        rule: rule.rule.json(),
        timezone: rule.zone.identifier, createdAt: now, updatedAt: now))
    return .created(segment, at: "/api/v1/segments/\(segment.id.hex)")
  }

  @Sendable private func show(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    return .data(try await gateway.store.segment(try request.objectID()))
  }

  @Sendable private func replace(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    let id = try request.objectID()
    let (input, rule) = try read(request)
    try await gateway.audiences.check(rule, asSegment: id)
    let json = rule.rule.json()
    let segment = try await gateway.store.updateSegment(id) { before, now in
      var after = before
      after.name = input.name
      after.ownerUserID = input.ownerUserID ?? before.ownerUserID
      if after.rule != json || after.timezone != rule.zone.identifier {
        after.rule = json
        after.timezone = rule.zone.identifier
        // What another rule found says nothing about this one.
        after.previewCount = nil
        after.previewedAt = nil
      }
      guard after != before else { return before }
      after.updatedAt = now
      return after
    }
    return .data(segment)
  }

  @Sendable private func delete(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    let id = try request.objectID()
    try await gateway.store.deleteSegment(id)
    return .data(["_id": .string(id.hex), "deleted": true])
  }

  /// Everything wrong with the body, the rule's errors among it.
  private func read(_ request: APIRequest) throws -> (SegmentInput, ZonedRule) {
    let json = try request.json()
    let input: SegmentInput
    switch SegmentInput.decode(json) {
    case .success(let decoded): input = decoded
    case .failure(let error):
      var errors = error.errors
      if let rule = json["rule_ast"], rule.objectValue != nil {
        do {
          _ = try gateway.audiences.understand(rule, timezone: json["timezone"]?.stringValue)
        } catch {
          errors += error.errors.filter { !errors.contains($0) }
        }
      }
      throw ValidationError(errors) ?? error
    }
    return (input, try gateway.audiences.understand(input.rule, timezone: input.timezone))
  }

  @Sendable private func preview(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    var reader = ObjectReader(try request.json())
    let json = reader.value("rule_ast", required: true)
    let timezone = reader.string("timezone", length: 1...64)
    let now = reader.timestamp("now") ?? gateway.clock.now()
    var errors = reader.finish()
    var rule: ZonedRule?
    if let json {
      do {
        rule = try gateway.audiences.understand(json, timezone: timezone)
      } catch {
        errors += error.errors
      }
    }
    if let error = ValidationError(errors) { throw error }
    guard let rule else { throw ValidationError(field: "rule_ast", code: "required", message: "is required") }
    let found: RulePreview
    do {
      let filter = try await gateway.audiences.filter(rule, now: now)
      found = try await gateway.store.preview(filter, timeoutMS: gateway.previewTimeoutMS)
    } catch let error as MongoError where error.kind == .timeout {
      throw Problem(
        .tooSlow,
        "Counting these leads takes longer than \(gateway.previewTimeoutMS) ms. Add a condition that narrows them by "
          + "total_spend, or ask again when the database is less busy.", retryAfter: 10)
    }
    return .data { writer in
      writer.beginObject()
      writer.field("count", found.count)
      writer.key("sample")
      writer.beginArray()
      for lead in found.sample { lead.write(to: &writer) }
      writer.endArray()
      writer.field("explanation", rule.rule.explanation())
      writer.endObject()
    }
  }
}
