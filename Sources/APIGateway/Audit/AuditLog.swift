import BSON
import CRMCore
import CRMStore
import CivilTime
import Crypto
import HTTP
import JSON
import Runtime
import ServiceHost

/// Enters every write into the audit log: who, what, the values before and after. And every export, when its answer begins.
///
/// An entry is stored before the write is made, and without it the write is not made; what became of the write is added
/// after it. So no write is without an entry. What can be missing, after a crash or an outage in between, is the outcome:
/// such an entry stays `started`. Two small jobs for each request, however many rows it has, and a third for an order,
/// which is looked up by its number.
struct AuditLog: Sendable {
  let store: Store
  let clock: any WallClock
  /// Nil: for ever.
  let keptFor: Duration?
  let log: Logger
  let incomplete: Counter

  /// Carries out a route's handler between the two halves of an entry; a route that changes nothing leaves none.
  func record(
    _ route: Route, _ request: APIRequest, _ handler: Route.Handler
  ) async throws -> HTTPResponse {
    if route.effect == .nothing { return try await handler(request) }
    let id = ObjectID()
    let resourceID = try await resourceID(route, request)
    let subject = resourceID.flatMap { AuditLog.subject(route.effect, $0) }
    let before = try await store.beginAudit(id, entry(route, request, resourceID), subject: subject)
    let result: Result<HTTPResponse, any Error>
    do {
      result = .success(try await handler(request))
    } catch {
      result = .failure(error)
    }
    // A client that goes away, or a deadline, cancels the request: what became of its write is entered all the same.
    await Task { await complete(id, route, request, before, subject, result) }.value
    return try result.get()
  }

  // MARK: Before

  /// The id of what will change: what the path names, or the order that has the number in the body.
  private func resourceID(_ route: Route, _ request: APIRequest) async throws -> String? {
    if let id = request.http.parameters["id"] { return id }
    guard route.effect == .change(.order), let bytes = request.http.body.bytes,
      let json = try? JSONValue.parse(bytes, maxDepth: APIRequest.jsonDepth)
    else { return nil }
    var body = ObjectReader(json)
    guard let number = body.string("order_no", length: 1...100) else { return nil }
    do {
      return try await store.order(number: number).id.hex
    } catch StoreError.notFound {
      return nil
    }
  }

  private func entry(_ route: Route, _ request: APIRequest, _ resourceID: String?) -> BSONDocument {
    let now = clock.now()
    let caller = request.caller
    var entry = BSONDocument(capacity: 512)
    entry.appendDate("at", milliseconds: now.milliseconds)
    entry.append("actor", caller.id)
    entry.append("actor_name", caller.name)
    entry.append("actor_kind", caller.kind.name)
    entry.append("role", caller.role.rawValue)
    entry.append("action", route.name)
    entry.append("method", request.http.method.rawValue)
    entry.append("path", AuditRedaction.short(request.http.path))
    if let resource = AuditLog.resource(route.effect) { entry.append("resource", resource.rawValue) }
    if let resourceID { entry.append("resource_id", AuditRedaction.short(resourceID)) }
    entry.append("request_id", AuditRedaction.short(request.http.id))
    entry.append("remote_address", request.http.remoteAddress)
    entry.append("outcome", AuditOutcome.started.rawValue)
    if let keptFor { entry.appendDate("expires_at", milliseconds: now.advanced(by: keptFor).milliseconds) }
    return entry
  }

  private static func resource(_ effect: Effect?) -> Effect.Resource? {
    switch effect {
    case .change(let resource), .bulk(let resource), .export(let resource): resource
    case .nothing, nil: nil
    }
  }

  /// The document that changes, by its id.
  private static func subject(_ effect: Effect?, _ id: String) -> AuditSubject? {
    guard case .change(let resource) = effect else { return nil }
    return resource.subject(id)
  }

  // MARK: After

  private func complete(
    _ id: ObjectID, _ route: Route, _ request: APIRequest, _ before: BSONDocument?, _ subject: AuditSubject?,
    _ result: Result<HTTPResponse, any Error>
  ) async {
    let status =
      switch result {
      case .success(let response): response.status
      case .failure(let error): (Problem(describing: error) ?? .unforeseen).kind.status
      }
    let answer = AuditAnswer(result)
    // 201 tells of something new, whatever the path names: a duplicate changes nothing of its original.
    let isNew = subject == nil || status == 201
    let made = isNew ? answer.id : nil
    let before = isNew ? nil : before
    let changed = isNew ? made.flatMap { AuditLog.subject(route.effect, $0) } : subject
    let completed = clock.now()
    let resource = AuditLog.resource(route.effect)
    do {
      try await store.completeAudit(id, subject: changed) { after in
        var details = BSONDocument(capacity: 1024)
        details.append("outcome", AuditLog.outcome(status).rawValue)
        details.append("status", Int64(status))
        details.appendDate("completed_at", milliseconds: completed.milliseconds)
        if let made { details.append("resource_id", AuditRedaction.short(made)) }
        if case .bulk = route.effect, !answer.counts.isEmpty { details.append("counts", document: answer.counts) }
        guard let resource, before != nil || after != nil else { return details }
        let (old, new) = AuditRedaction.difference(before, after, of: resource)
        if let old { details.append("before", document: old) }
        if let new { details.append("after", document: new) }
        return details
      }
    } catch {
      // The write stands; its entry says that it was begun. The log has the rest.
      incomplete.add()
      log.error(
        "an entry of the audit log could not be completed",
        [
          "audit_id": .string(id.hex), LogKey.requestID: .string(request.http.id), "action": .string(route.name),
          "status": .int(Int64(status)), LogKey.error: .string("\(error)"),
        ])
    }
  }

  private static func outcome(_ status: Int) -> AuditOutcome {
    switch status {
    case ..<400: .succeeded
    case 400..<500: .refused
    default: .failed
    }
  }
}

/// What an answer tells about a write: the id of what was made, and counts.
struct AuditAnswer: Sendable {
  private(set) var id: String?
  private(set) var counts = BSONDocument()

  private static let idNames = ["_id", "jobId", "runId"]

  init(_ result: Result<HTTPResponse, any Error>) {
    guard case .success(let response) = result, let bytes = response.bytes,
      let json = try? JSONValue.parse(bytes, maxDepth: JSONValue.deepestNesting)
    else { return }
    let data = json["data"] ?? json
    id = AuditAnswer.idNames.lazy.compactMap { data[$0]?.stringValue }.first
    for (name, value) in data.objectValue ?? [:] {
      switch value {
      case .int(let number): counts.append(name, number)
      case .array(let elements) where name == "rejected": counts.append(name, Int64(elements.count))
      default: break
      }
    }
  }
}

extension Effect.Resource {
  /// The document of this kind with an id as paths have it; nil where there is none to look at.
  func subject(_ id: String) -> AuditSubject? {
    let collection: String
    switch self {
    case .lead: collection = Collections.leads
    case .order: collection = Collections.orders
    case .segment: collection = Collections.segments
    case .campaign: collection = Collections.campaigns
    case .job: collection = Collections.jobs
    case .apiKey: collection = Collections.apiKeys
    case .deadLetter: collection = Collections.deadLetters
    case .token: return nil
    }
    if let objectID = ObjectID(hex: id) { return AuditSubject(collection: collection, id: .objectID(objectID)) }
    if let uuid = UUIDBytes(id) { return AuditSubject(collection: collection, id: .uuid(uuid.bytes)) }
    return nil
  }
}
