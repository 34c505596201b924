import BSON
import CRMCore
import CRMStore
import Crypto
import HTTP
import JSON
import JWT

/// `/api/auth`: tokens, and who one is.
struct AuthHandlers: Sendable {
  /// Seconds: a shorter token would be gone before it is used.
  private static let shortestLife: Int64 = 60

  let gateway: Gateway

  /// How long a token may be asked to be good, in seconds.
  private var lifetimes: ClosedRange<Int64> {
    AuthHandlers.shortestLife...max(AuthHandlers.shortestLife, Int64(gateway.access.settings.tokenLifetime))
  }

  var routes: [Route] {
    let json = Route.Body.json(limit: Route.ordinaryLimit)
    return [
      Route(
        .post, "/api/auth/token", "createToken", operation: .createToken(lifetime: lifetimes), access: .authenticated,
        effect: .change(.token), body: json, token),
      Route(.get, "/api/auth/me", "getCaller", operation: .getCaller, access: .authenticated, needs: [], me),
      Route(
        .post, "/api/auth/logout", "logout", operation: .logout, access: .authenticated, effect: .change(.token),
        body: json, logout),
    ]
  }

  /// A token for an API key, which is good for as much as the key or less, and not for long.
  @Sendable private func token(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    let settings = gateway.access.settings
    var reader = ObjectReader(try request.jsonIfAny() ?? [:])
    let lifetime = reader.integer("lifetime_s", in: lifetimes) ?? Int64(settings.tokenLifetime)
    let caller = request.caller
    let asked = reader.strings("scopes", count: 1...Scope.allCases.count) { text in
      if let scope = Scope(rawValue: text), caller.scopes.contains(scope) { return .success(text) }
      return .failure(FieldProblem("beyond_key", "is not something that the key may do"))
    }
    if let error = ValidationError(reader.finish()) { throw error }
    guard case .apiKey = caller.kind, let signer = settings.signer else {
      throw Problem(.forbidden, "Only an API key gets a token.")
    }
    let now = gateway.clock.now()
    let scopes = (asked ?? caller.scopes.map(\.rawValue)).sorted().joined(separator: " ")
    let seconds = now.milliseconds / 1000
    let text = signer.sign([
      "iss": .string(settings.issuer), "aud": .string(settings.audience), "sub": .string(caller.id),
      "iat": .int(seconds), "nbf": .int(seconds), "exp": .int(seconds + lifetime), "jti": .string(UUIDBytes().string),
      "role": .string(caller.role.rawValue), "scope": .string(scopes), "name": .string(caller.name),
    ])
    return .data([
      "access_token": .string(text), "token_type": "Bearer", "expires_in": .int(lifetime),
      "role": .string(caller.role.rawValue), "scope": .string(scopes),
    ])
  }

  @Sendable private func me(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    let caller = request.caller
    var expiry: JSONValue = .null
    if case .token(_, let until) = caller.kind { expiry = .string(until.description) }
    return .data([
      "id": .string(caller.id), "name": .string(caller.name), "kind": .string(caller.kind.name),
      "role": .string(caller.role.rawValue),
      "scopes": .array(caller.scopes.map(\.rawValue).sorted().map { .string($0) }), "expires_at": expiry,
      "auth_mode": .string(gateway.access.settings.mode.rawValue),
    ])
  }

  /// Ends the token that the request is made with.
  @Sendable private func logout(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    if let json = try request.jsonIfAny() {
      var reader = ObjectReader(json)
      if let error = ValidationError(reader.finish()) { throw error }
    }
    guard case .token(let fingerprint, let until) = request.caller.kind else {
      throw Problem(.forbidden, "Only a token can be logged out; an API key is revoked by DELETE.")
    }
    // Kept for longer than the token is good, whatever clocks are apart.
    try await gateway.store.revokeToken(fingerprint, until: until.advanced(by: .seconds(3600)))
    gateway.access.forgetAll()
    return .data(["logged_out": true])
  }
}
