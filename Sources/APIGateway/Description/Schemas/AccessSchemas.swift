import CRMCore
import CRMStore
import JSON

extension Schema {
  static let scopes = array(of: choice(of: Scope.self), count: 1...Scope.allCases.count)
  private static let anyScopes = array(of: choice(of: Scope.self))

  private static let apiKeyMembers: [Member] = [
    .required("_id", objectID), .required("name", string),
    .required("prefix", string.described("How the key begins")), .required("role", choice(of: Role.self)),
    .required("scopes", anyScopes), .required("created_by", string), .required("created_at", timestamp),
    .required("expires_at", nullable(timestamp)), .required("revoked_at", nullable(timestamp)),
    .required("last_used_at", nullable(timestamp).described("True to a minute")),
  ]

  static let apiKey = named("APIKey", object(apiKeyMembers))

  static let newAPIKey = named(
    "NewAPIKey", object(apiKeyMembers + [.required("key", string.described("Shown this once"))]))

  static let apiKeyInput = named(
    "APIKeyInput",
    closedObject([
      .required("name", text(1...100)), .required("role", choice(of: Role.self)),
      .optional("scopes", scopes.described("Some of the role's; all unless given")),
      .optional("expires_at", timestamp.described("In the future")),
    ]))

  static let caller = named(
    "Caller",
    object([
      .required("id", string), .required("name", string), .required("kind", string),
      .required("role", choice(of: Role.self)), .required("scopes", anyScopes),
      .required("expires_at", nullable(timestamp).described("Of a token")),
      .required("auth_mode", choice(of: AuthMode.self)),
    ]))

  static let auditEntry = named(
    "AuditEntry",
    object([
      .required("_id", objectID), .required("at", timestamp), .required("actor", string),
      .required("actor_name", string), .required("actor_kind", string), .required("role", choice(of: Role.self)),
      .required("action", string), .required("method", string), .required("path", string),
      .optional("resource", choice(of: Effect.Resource.self)), .optional("resource_id", string),
      .required("request_id", string), .required("remote_address", string),
      .required("outcome", choice(of: AuditOutcome.self)), .optional("status", integer),
      .optional("completed_at", timestamp), .optional("counts", map(of: integer)),
      .optional("before", Schema(["type": "object"]).described("The fields that changed, as they were")),
      .optional("after", Schema(["type": "object"]).described("The fields that changed, as they are")),
    ]))
}
