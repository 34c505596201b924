import BSON
import CRMCore
import CRMStore
import HTTP
import JSON

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
      Route(.get, "/api/v1/segments/:id", "getSegment", operation: .getSegment, access: .scope(.segmentsRead), show),
      Route(
        .put, "/api/v1/segments/:id", "replaceSegment", operation: .replaceSegment, access: .scope(.segmentsWrite),
        effect: .change(.segment),
        body: json, replace),
      Route(
        .delete, "/api/v1/segments/:id", "deleteSegment", operation: .deleteSegment, access: .scope(.segmentsWrite),
        effect: .change(.segment),
        delete),
      Route(
        .post, "/api/v1/segments/:id/duplicate", "duplicateSegment", operation: .duplicateSegment,
        access: .scope(.segmentsWrite), effect: .change(.segment), body: json, idempotent: true, duplicate),
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

  /// A new segment of the same rule and zone, for its owner to change: a preview's count is of the original.
  @Sendable private func duplicate(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    let id = try request.objectID()
    var name: String?
    if let json = try request.jsonIfAny() {
      var reader = ObjectReader(json)
      name = reader.string("name", length: SegmentInput.nameLength)
      if let error = ValidationError(reader.finish()) { throw error }
    }
    let original = try await gateway.store.segment(id)
    let now = gateway.clock.now()
    let segment = try await gateway.store.createSegment(
      Segment(
        id: request.effectID, name: name ?? original.nameOfCopy, ownerUserID: original.ownerUserID,
        rule: original.rule, timezone: original.timezone, createdAt: now, updatedAt: now))
    return .created(segment, at: "/api/v1/segments/\(segment.id.hex)")
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
}
