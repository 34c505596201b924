import BSON
import CRMCore
import CRMStore
import HTTP
import JSON

/// `/api/v1/audit`
struct AuditHandlers: Sendable {
  let gateway: Gateway

  var routes: [Route] {
    [Route(.get, "/api/v1/audit", "listAuditEntries", operation: .listAuditEntries, access: .scope(.auditRead), list)]
  }

  /// Fields that only the database has a use for.
  private static let inner: Set<String> = ["expires_at"]

  @Sendable private func list(_ request: APIRequest) async throws -> HTTPResponse {
    var reader = request.query
    let page = reader.page(in: AuditQuery.order)
    var query = AuditQuery(start: page.start, limit: page.limit)
    query.actor = reader.text("actor", length: 1...200)
    query.action = reader.text("action", length: 1...100)
    query.resource = (reader.choice("resource") as Effect.Resource?)?.rawValue
    query.resourceID = reader.text("resource_id", length: 1...100)
    query.outcome = reader.choice("outcome")
    query.from = reader.timestamp("from")
    query.to = reader.timestamp("to")
    try reader.finish()
    return .page(try await gateway.store.auditEntries(query), page) { entry, writer in
      writer.value(
        .object(
          JSONObject(
            entry.filter { !AuditHandlers.inner.contains($0.key) }
              .map { (key: $0.key, value: JSONValue(bson: $0.value)) })))
    }
  }
}
