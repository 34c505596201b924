import BSON
import CRMCore
import CRMStore
import HTTP
import JSON
import Mongo

/// `/api/v1/api-keys`
struct APIKeyHandlers: Sendable {
  /// Prefixes are random: one that is taken is bad luck, several in a row are something else.
  private static let attempts = 5

  let gateway: Gateway

  var routes: [Route] {
    [
      Route(.get, "/api/v1/api-keys", "listAPIKeys", operation: .listAPIKeys, access: .scope(.keysManage), list),
      Route(
        .post, "/api/v1/api-keys", "createAPIKey", operation: .createAPIKey, access: .scope(.keysManage),
        effect: .change(.apiKey),
        body: .json(limit: Route.ordinaryLimit), idempotent: true, showsSecret: true, create),
      Route(.get, "/api/v1/api-keys/:id", "getAPIKey", operation: .getAPIKey, access: .scope(.keysManage), show),
      Route(
        .delete, "/api/v1/api-keys/:id", "revokeAPIKey", operation: .revokeAPIKey, access: .scope(.keysManage),
        effect: .change(.apiKey), revoke),
    ]
  }

  enum SortField: String, CaseIterable {
    case name
    case createdAt = "created_at"
    case lastUsedAt = "last_used_at"
  }

  @Sendable private func list(_ request: APIRequest) async throws -> HTTPResponse {
    var reader = request.query
    let page = reader.page(
      sortedBy: SortField.self, fallback: ListOrder(field: "created_at", ascending: false), field: \.rawValue)
    try reader.finish()
    let found = try await gateway.store.apiKeys(order: page.order, start: page.start, limit: page.limit)
    return .page(found, page) { key, writer in key.write(to: &writer) }
  }

  /// The only answer that shows the key itself, but for its repetition under the same idempotency key.
  @Sendable private func create(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    let now = gateway.clock.now()
    let input = try APIKeyInput.decode(try request.json(), now: now).get()
    for attempt in 1... {
      let secret = APIKeySecret()
      var key = input.newKey(secret, by: request.caller.name, at: now, id: request.effectID)
      do {
        key = try await gateway.store.createAPIKey(key)
      } catch let error as MongoError where error.isDuplicateKey && attempt < APIKeyHandlers.attempts {
        continue
      }
      // The bootstrap key ends here when this was the first one.
      gateway.access.forgetAll()
      var shown = key.jsonValue.objectValue ?? [:]
      shown["key"] = .string(secret.text)
      var response = HTTPResponse.data(.object(shown), status: 201)
      response.headers.add("Location", "/api/v1/api-keys/\(key.id.hex)")
      return response
    }
    throw Problem.unforeseen
  }

  @Sendable private func show(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    return .data(try await gateway.store.apiKey(try request.objectID()))
  }

  @Sendable private func revoke(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    let key = try await gateway.store.revokeAPIKey(try request.objectID())
    gateway.access.forgetAll()
    return .data(key)
  }
}
