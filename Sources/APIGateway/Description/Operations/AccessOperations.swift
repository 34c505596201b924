import CRMCore
import CRMStore

extension Operation {
  /// - Parameter lifetime: of a token, in seconds.
  static func createToken(lifetime: ClosedRange<Int64>) -> Operation {
    Operation(
      "Get a token for an API key", "Good for as much as the key or less, and not for long. Only a key gets one.",
      body: .json(
        .named(
          "TokenRequest",
          .closedObject([
            .optional("lifetime_s", .integer(in: lifetime).described("Seconds; at most the setting `JWT_LIFETIME_S`")),
            .optional("scopes", .scopes.described("Some of the key's; all unless given")),
          ])), required: false),
      answers: [
        .data(
          .named(
            "Token",
            .object([
              .required("access_token", .string), .required("token_type", .constant("Bearer")),
              .required("expires_in", .count.described("Seconds")), .required("role", .choice(of: Role.self)),
              .required("scope", .string.described("Separated by spaces")),
            ])))
      ], problems: [.impossibleScope])
  }

  static let getCaller = Operation("Tell who one is and what one may do", answers: [.data(.caller)])

  static let logout = Operation(
    "End the token of this request", "An API key is revoked instead.",
    body: .json(.nothing, required: false),
    answers: [.data(.object([.required("logged_out", Schema(["const": true]))]))])

  static let listAPIKeys = Operation(
    "List API keys", "Without the keys themselves, which nobody knows.",
    query: .paging(sortedBy: APIKeyHandlers.SortField.self), answers: [.page(of: .apiKey)])

  static let createAPIKey = Operation(
    "Make an API key",
    """
    The answer shows `key` this once; only a repetition under the same `Idempotency-Key` gets it again. Let that be a random \
    one: the answer is kept for it sealed by it, so that the database does not tell `key`.
    """,
    body: .json(.apiKeyInput), answers: [.created(.newAPIKey)],
    problems: [.conflict, .impossibleSchedule, .impossibleScope])

  static let getAPIKey = Operation("Show an API key", "Without the key itself.", answers: [.data(.apiKey)])

  static let revokeAPIKey = Operation(
    "Revoke an API key", "Its tokens end with it. Doing it twice changes nothing.", answers: [.data(.apiKey)])

  static let listAuditEntries = Operation(
    "List who changed what", "Newest first.",
    query: .paging() + [
      .init("actor", .plain(1...200), "`key:<id>`, `user:<subject>`, …"),
      .init("action", .plain(1...100), "An operation's name: `updateCampaign`"),
      .init("resource", .choice(of: Effect.Resource.self)), .init("resource_id", .plain(1...100)),
      .init("outcome", .choice(of: AuditOutcome.self)), .init("from", .timestamp), .init("to", .timestamp, "Exclusive"),
    ],
    answers: [.page(of: .auditEntry)])
}
