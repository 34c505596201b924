import BSON
import CRMCore
import CRMStore
import CivilTime
import HTTP
import JSON
import Runtime

/// `/api/v1/segments/preview`, `…/explain`, `…/evaluate`, `…/convert`: questions about a rule that need not be stored.
struct RuleHandlers: Sendable {
  let gateway: Gateway

  var routes: [Route] {
    let json = Route.Body.json(limit: Route.ordinaryLimit)
    return [
      Route(
        .post, "/api/v1/segments/preview", "previewSegment", operation: .previewSegment, access: .scope(.segmentsRead),
        effect: .nothing,
        body: json, preview),
      Route(
        .post, "/api/v1/segments/explain", "explainRule", operation: .explainRule, access: .scope(.segmentsRead),
        effect: .nothing,
        body: json, explain),
      Route(
        .post, "/api/v1/segments/evaluate", "evaluateRule", operation: .evaluateRule, access: .scope(.segmentsRead),
        effect: .nothing,
        body: json, evaluate),
      Route(
        .post, "/api/v1/segments/convert", "convertRule", operation: .convertRule, access: .scope(.segmentsRead),
        effect: .nothing, body: json, needs: [], convert),
    ]
  }

  @Sendable private func preview(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    let asked = try RuleRequest.read(try request.json(), gateway)
    // A preview of nothing but a stored segment is that segment's.
    var segment: Segment?
    if case .segment(let id) = asked.rule.rule, !asked.isAsOfAnotherTime {
      // That it does not exist is said by the preview, with the path.
      do { segment = try await gateway.store.segment(id) } catch StoreError.notFound {}
    }
    let found = try await gateway.audiences.inTime {
      try await gateway.store.preview(
        try await gateway.store.compile(asked.rule, now: asked.now), timeoutMS: gateway.previewTimeoutMS)
    }
    if let segment {
      do {
        try await gateway.store.recordPreview(of: segment, count: found.count)
      } catch {
        request.log.warning(
          "a preview's count was not stored with its segment",
          [LogKey.requestID: .string(request.http.id), LogKey.error: .string("\(error)")])
      }
    }
    return .data { writer in
      writer.beginObject()
      writer.field("count", found.count)
      writer.key("sample")
      writer.beginArray()
      for lead in found.sample { lead.write(to: &writer) }
      writer.endArray()
      writer.field("explanation", asked.rule.rule.explanation())
      writer.endObject()
    }
  }

  @Sendable private func explain(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    let asked = try RuleRequest.read(try request.json(), gateway)
    let report = try await gateway.audiences.inTime {
      try await gateway.store.explain(asked.rule, now: asked.now, timeoutMS: gateway.previewTimeoutMS)
    }
    return .data(capacity: 4096) { report.write(to: &$0, explanation: asked.rule.rule.explanation()) }
  }

  @Sendable private func evaluate(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    var lead: EvaluatedLead?
    let asked = try RuleRequest.read(try request.json(), gateway) { reader in
      lead = Self.lead(&reader, at: gateway.clock.now())
    }
    guard let lead else { throw ValidationError(field: "lead_id", code: "required", message: "is required") }
    let decision = try await gateway.audiences.inTime {
      do {
        return try await gateway.store.evaluate(
          asked.rule, lead: lead, now: asked.now, timeoutMS: gateway.previewTimeoutMS)
      } catch StoreError.notFound {
        throw Problem(
          .unknownReference, "The rule is to be put to a lead that does not exist.",
          errors: [FieldError(field: "lead_id", code: "unknown_lead", message: "there is no such lead")])
      }
    }
    return .data(decision)
  }

  /// The lead that is meant: a stored one, or one that the request describes.
  private static func lead(_ reader: inout ObjectReader, at now: Timestamp) -> EvaluatedLead? {
    let id = reader.objectID("lead_id")
    guard let json = reader.value("lead") else {
      if id == nil, !reader.has("lead_id") {
        reader.reject("lead_id", FieldProblem("required", "is required, or else lead"))
      }
      return id.map { .stored($0) }
    }
    if reader.has("lead_id") {
      reader.reject("lead", FieldProblem("exclusive", "cannot be given together with lead_id"))
    }
    switch LeadInput.decode(json, path: "lead") {
    case .success(let input): return .described(input.newLead(id: ObjectID(), at: now).bson())
    case .failure(let error):
      reader.reject(contentsOf: error.errors)
      return nil
    }
  }

  @Sendable private func convert(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    var reader = ObjectReader(try request.json())
    let query = reader.value("query", required: true)
    let timezone = reader.string("timezone", length: 1...64)
    var errors = reader.finish()
    let zone = CalendarZone(identifier: timezone ?? "UTC")
    if zone == nil { errors.append(Audiences.unknownZone) }
    var converted: ConvertedRule?
    var untranslatable: [FieldError] = []
    if let query {
      if query.objectValue == nil {
        errors.append(FieldError(field: "query", code: "invalid_type", message: "must be an object"))
      }
      do throws(RuleError) {
        converted = try RuleConverter.convert(query, zone: zone ?? .utc)
      } catch {
        untranslatable = error.fieldErrors.filter { error in !errors.contains { $0.field == error.field } }
      }
    }
    if !errors.isEmpty, let error = ValidationError(errors + untranslatable) { throw error }
    guard untranslatable.isEmpty else {
      throw Problem(
        .cannotTranslate, "The query has parts that the language of rules does not have; see errors.",
        errors: untranslatable)
    }
    guard let converted else { throw ValidationError(field: "query", code: "required", message: "is required") }
    return .data([
      "rule_ast": converted.rule.json(), "explanation": .string(converted.rule.explanation()),
      "notes": .array(converted.notes.map { .string($0) }),
    ])
  }
}
