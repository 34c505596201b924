import JSON

extension Sample {
  static let access: [Sample] = [
    Sample(
      "createToken",
      [
        200: { _ in Call() },
        // A token gets no token.
        403: { Call(credential: .key(try await $0.token())) },
        422: { stage in
          Call(
            body: ["scopes": ["keys:manage"]],
            credential: .key(try await stage.key(of: .viewer).secret))
        },
      ]),
    Sample("getCaller", [200: { _ in Call() }]),
    Sample(
      "logout",
      [
        200: { Call(credential: .key(try await $0.token())) },
        // A key is not logged out.
        403: { _ in Call() },
      ]),
    Sample("listAPIKeys", [200: { _ in Call() }]),
    Sample(
      "createAPIKey",
      [
        201: { _ in Call(body: ["name": "A program", "role": "viewer"]) },
        422: { _ in Call(body: ["name": "A program", "role": "viewer", "expires_at": "2020-01-01T00:00:00Z"]) },
      ]),
    Sample("getAPIKey", [200: { Call(ids: [try await $0.key(of: .viewer).id]) }]),
    Sample("revokeAPIKey", [200: { Call(ids: [try await $0.newKey(.viewer).id]) }]),
    Sample("listAuditEntries", [200: { _ in Call(query: "outcome=succeeded") }]),
  ]
}
