import BSON
import CRMCore
import CRMStore
import CivilTime
import Crypto
import HTTP
import JSON
import JWT
import Runtime
import Testing

@testable import APIGateway

/// Who may do what, through the real router.
@Suite(.serialized) struct AuthorisationTests {
  private static func target(_ route: Route) -> String {
    route.pattern.split(separator: "/").map { $0.hasPrefix(":") ? "0123456789abcdef01234567" : String($0) }
      .reduce("") { "\($0)/\($1)" }
  }

  // MARK: The matrix

  /// Each route, asked by nobody and by each role: who may pass is what the route declares.
  @Test func eachRouteLetsInWhomItDeclares() async throws {
    try await GatewayHarness.with { harness in
      var keys: [(role: Role, key: String)] = []
      for role in Role.allCases { keys.append((role, try await harness.key(role))) }
      for route in harness.gateway.routes {
        let target = Self.target(route)
        let anonymous = try await harness.request(route.method, target, as: nil)
        switch route.access {
        case .open: #expect(anonymous.status != 401 && anonymous.status != 403, "\(route.name)")
        case .webhook: #expect(anonymous.problem == "invalid-signature", "\(route.name): \(anonymous.text)")
        case .authenticated, .scope:
          #expect(anonymous.status == 401 && anonymous.problem == "unauthenticated", "\(route.name)")
          #expect(anonymous.headers["WWW-Authenticate"] == #"Bearer realm="minicrm""#, "\(route.name)")
        }
        guard case .scope(let scope) = route.access else { continue }
        for (role, key) in keys {
          let answer = try await harness.request(route.method, target, as: key)
          if role.scopes.contains(scope) {
            #expect(answer.status != 401 && answer.status != 403, "\(route.name) as \(role): \(answer.text)")
          } else {
            #expect(answer.status == 403 && answer.problem == "forbidden", "\(route.name) as \(role)")
            #expect(answer.json["required_scope"]?.stringValue == scope.rawValue)
            #expect(answer.headers["WWW-Authenticate"]?.contains("insufficient_scope") == true)
          }
        }
      }
    }
  }

  /// A key of the highest role, narrowed to one scope, passes where that scope is asked for and nowhere else.
  @Test func aNarrowedKeyIsGoodForWhatItIsNarrowedTo() async throws {
    try await GatewayHarness.with { harness in
      var keys: [Scope: String] = [:]
      for scope in Scope.allCases { keys[scope] = try await harness.key(.admin, scopes: [scope]) }
      for route in harness.gateway.routes where route.method == .get {
        guard case .scope(let needed) = route.access else { continue }
        for (scope, key) in keys {
          let answer = try await harness.request(.get, Self.target(route), as: key)
          #expect((answer.status == 403) == (scope != needed), "\(route.name) with \(scope.rawValue): \(answer.status)")
        }
      }
    }
  }

  /// Whatever makes messages leave takes the scope for it, also where the route is for those who write campaigns.
  @Test func onlyWhoMayLaunchMakesMessagesLeave() async throws {
    try await GatewayHarness.with { harness in
      let runner = try await harness.key(.marketer)
      let writer = try await harness.key(.marketer, scopes: [.campaignsWrite, .campaignsRead])
      let rule: JSONValue = ["type": "condition", "field": "tags", "operator": "=", "value": "nobody"]
      let segment = try await harness.request(
        .post, "/api/v1/segments", ["name": "Nobody", "rule_ast": rule], as: runner)
      let segmentID = try #require(segment.data["_id"], "\(segment.text)")
      func campaign(_ more: (key: String, value: JSONValue)...) -> JSONValue {
        var body: JSONObject = [
          "name": "Spring", "segment_id": segmentID, "message_template": "Hi", "channel": "sms",
        ]
        body.entries += more
        return .object(body)
      }
      let time: JSONValue = "2999-01-01T00:00:00Z"
      for launching in [campaign(("send", true)), campaign(("schedule_at", time))] {
        let refused = try await harness.request(.post, "/api/v1/campaigns", launching, as: writer)
        #expect(refused.status == 403 && refused.json["required_scope"] == "campaigns:run", "\(refused.text)")
        let made = try await harness.request(.post, "/api/v1/campaigns", launching, as: runner)
        #expect(made.status == 201, "\(made.text)")
      }
      let draft = try await harness.request(.post, "/api/v1/campaigns", campaign(), as: writer)
      let target = "/api/v1/campaigns/\(try #require(draft.data["_id"]?.stringValue, "\(draft.text)"))"
      #expect(try await harness.request(.put, target, ["name": "Summer"], as: writer).status == 200)
      let refused = try await harness.request(.put, target, ["schedule_at": time], as: writer)
      #expect(refused.status == 403 && refused.json["required_scope"] == "campaigns:run", "\(refused.text)")
      #expect(try await harness.request(.put, target, ["schedule_at": time], as: runner).status == 200)
      let campaigns = try await harness.request(.get, "/api/v1/campaigns", as: runner)
      #expect(campaigns.data.arrayValue?.count == 3)
    }
  }

  /// The table of docs/security.md, written down a second time: a change must be meant.
  @Test func rolesHaveTheScopesThatTheDocumentationSays() {
    let viewer: Set<Scope> = [.leadsRead, .segmentsRead, .campaignsRead, .statusRead]
    let analyst = viewer.union([.leadsExport, .segmentsWrite, .deadLettersRead])
    let marketer = analyst.union([.leadsWrite, .campaignsWrite, .campaignsRun])
    #expect(Role.viewer.scopes == viewer)
    #expect(Role.analyst.scopes == analyst)
    #expect(Role.marketer.scopes == marketer)
    #expect(Role.admin.scopes == marketer.union([.deadLettersReplay, .keysManage, .auditRead]))
  }

  @Test func everyRouteSaysWhatItChangesAndOnlyFewAreOpen() async throws {
    try await GatewayHarness.with { harness in
      let routes = harness.gateway.routes
      #expect(Set(routes.map(\.name)).count == routes.count)
      for route in routes { #expect(route.effect != nil, "\(route.name) does not say what it changes") }
      let webhooks = routes.filter { $0.access == .webhook }.map(\.name)
      #expect(webhooks == ["receiveReceipts"])
      for route in routes where route.access == .open {
        #expect(route.method == .get && route.effect == .nothing, "\(route.name) is open and changes something")
      }
    }
  }

  @Test func operationsRoutesNeedNoCredential() async throws {
    try await GatewayHarness.with(["API_RATE_PER_ADDRESS": "1"]) { harness in
      for path in ["/health", "/metrics", "/health", "/metrics"] {
        let answer = try await harness.request(.get, path, as: nil)
        #expect(answer.status == 200 && !answer.headers.contains("RateLimit-Limit"))
      }
    }
  }

  @Test func withAuthenticationOffEverybodyIsTheLocalAdministrator() async throws {
    try await GatewayHarness.with(["AUTH_MODE": "off", "HOST": "127.0.0.1", "JWT_SECRET": ""]) { harness in
      let answer = try await harness.request(.get, "/api/auth/me", as: nil)
      #expect(answer.data["kind"]?.stringValue == "local" && answer.data["auth_mode"]?.stringValue == "off")
      #expect(try await harness.request(.get, "/api/v1/audit", as: nil).status == 200)
      #expect(try await harness.request(.post, "/api/auth/token", as: nil).status == 403)
    }
  }

  // MARK: Keys

  @Test func aKeyIsShownOnceAndKeptAsADigest() async throws {
    try await GatewayHarness.with { harness in
      let admin = try await harness.key(.admin, name: "Ada")
      let made = try await harness.request(
        .post, "/api/v1/api-keys", ["name": "Nightly import", "role": "marketer", "scopes": ["leads:write"]], as: admin)
      #expect(made.status == 201, "\(made.text)")
      let key = try #require(made.data["key"]?.stringValue)
      let id = try #require(made.data["_id"]?.stringValue)
      #expect(made.data["prefix"]?.stringValue.map(key.hasPrefix) == true)
      #expect(made.data["created_by"]?.stringValue == "Ada")
      #expect(made.headers["Location"] == "/api/v1/api-keys/\(id)")
      for path in ["/api/v1/api-keys/\(id)", "/api/v1/api-keys", "/api/v1/audit"] {
        let text = try await harness.request(.get, path, as: admin).text
        #expect(!text.contains(key), "\(path)")
      }
      let stored = try await harness.store.mongo.withConnection {
        try $0.findAll(Collections.apiKeys, [:], limit: 10).map { JSONValue(bson: .document($0)).encodedString() }
      }
      #expect(!stored.joined().contains(key))
      let me = try await harness.request(.get, "/api/auth/me", as: key)
      #expect(me.data["id"]?.stringValue == "key:\(id)" && me.data["scopes"] == ["leads:write"])
      let used = try await harness.request(.get, "/api/v1/api-keys/\(id)", as: admin)
      #expect(used.data["last_used_at"]?.stringValue != nil)
    }
  }

  @Test func theLastUseIsWrittenOnceAMinute() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.viewer)
      func lastUse() async throws -> BSONValue? {
        try await harness.store.mongo.withConnection { try $0.findOne(Collections.apiKeys, [:])?["last_used_at"] }
      }
      _ = try await harness.request(.get, "/api/auth/me", as: key)
      let first = try #require(try await lastUse())
      try await Task.sleep(for: .milliseconds(5))
      for _ in 0..<5 { _ = try await harness.request(.get, "/api/auth/me", as: key) }
      #expect(try await lastUse() == first)
    }
  }

  @Test func expiredAndRevokedKeysAreRefused() async throws {
    try await GatewayHarness.with { harness in
      let admin = try await harness.key(.admin)
      let expired = try await harness.key(.admin, expiresAt: SystemClock().now().advanced(by: .seconds(-1)))
      #expect(try await harness.request(.get, "/api/auth/me", as: expired).status == 401)
      let made = try await harness.request(.post, "/api/v1/api-keys", ["name": "x", "role": "viewer"], as: admin)
      let (key, id) = (try #require(made.data["key"]?.stringValue), try #require(made.data["_id"]?.stringValue))
      #expect(try await harness.request(.get, "/api/auth/me", as: key).status == 200)
      let revoked = try await harness.request(.delete, "/api/v1/api-keys/\(id)", as: admin)
      #expect(revoked.status == 200 && revoked.data["revoked_at"]?.stringValue != nil)
      let refused = try await harness.request(.get, "/api/auth/me", as: key)
      #expect(refused.status == 401)
      #expect(refused.headers["WWW-Authenticate"]?.contains(#"error="invalid_token""#) == true)
      let again = try await harness.request(.delete, "/api/v1/api-keys/\(id)", as: admin)
      #expect(again.data["revoked_at"] == revoked.data["revoked_at"], "revoking twice changes nothing")
    }
  }

  @Test func aKeyWithAKnownPrefixAndAnotherSecretIsRefused() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.admin)
      let forged = String(key.prefix(14)) + String(APIKeySecret().text.dropFirst(14))
      #expect(try await harness.request(.get, "/api/auth/me", as: forged).status == 401)
      #expect(try await harness.request(.get, "/api/auth/me", as: key).status == 200)
    }
  }

  @Test func badKeysAreNamedFieldByField() async throws {
    try await GatewayHarness.with { harness in
      let admin = try await harness.key(.admin)
      let answer = try await harness.request(
        .post, "/api/v1/api-keys",
        ["name": "", "role": "viewer", "scopes": ["leads:write", "all"], "expires_at": "2020-01-01T00:00:00Z"],
        as: admin)
      #expect(answer.status == 400)
      #expect(answer.fields == ["name", "scopes[0]", "scopes[1]", "expires_at"])
    }
  }

  // MARK: Bootstrap

  @Test func theBootstrapKeyMakesTheFirstKeyAndThenIsRefused() async throws {
    try await GatewayHarness.with { harness in
      let bootstrap = GatewayHarness.bootstrapKey
      #expect(try await harness.request(.get, "/api/v1/leads", as: bootstrap).status == 403, "keys, nothing else")
      #expect(try await harness.request(.post, "/api/auth/token", as: bootstrap).status == 403)
      let viewer = try await harness.request(.post, "/api/v1/api-keys", ["name": "v", "role": "viewer"], as: bootstrap)
      #expect(viewer.status == 201)
      let made = try await harness.request(.post, "/api/v1/api-keys", ["name": "Ada", "role": "admin"], as: bootstrap)
      #expect(made.status == 201, "a key that cannot make keys does not end it: \(made.text)")
      let admin = try #require(made.data["key"]?.stringValue)
      #expect(try await harness.request(.get, "/api/v1/api-keys", as: bootstrap).status == 401)
      #expect(try await harness.request(.get, "/api/v1/api-keys", as: admin).status == 200)
      let id = try #require(made.data["_id"]?.stringValue)
      #expect(try await harness.request(.delete, "/api/v1/api-keys/\(id)", as: admin).status == 200)
      #expect(try await harness.request(.get, "/api/v1/api-keys", as: bootstrap).status == 200, "nobody is locked out")
    }
  }

  @Test func withoutABootstrapKeyNothingOpensAnEmptySystem() async throws {
    try await GatewayHarness.with(["BOOTSTRAP_ADMIN_KEY": ""]) { harness in
      for credential in ["", GatewayHarness.bootstrapKey, GatewayHarness.jwtSecret, "null", APIKeySecret().text] {
        let answer = try await harness.request(.get, "/api/v1/api-keys", as: credential)
        #expect(answer.status == 401)
      }
    }
  }

  // MARK: Tokens

  @Test func aKeyGetsATokenThatIsGoodForLessAndNotForAnother() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.marketer)
      let made = try await harness.request(
        .post, "/api/auth/token", ["lifetime_s": 60, "scopes": ["leads:read"]], as: key)
      #expect(made.status == 200, "\(made.text)")
      #expect(made.data["expires_in"]?.intValue == 60 && made.data["token_type"]?.stringValue == "Bearer")
      let token = try #require(made.data["access_token"]?.stringValue)
      #expect(try await harness.request(.get, "/api/v1/leads", as: token).status == 200)
      #expect(try await harness.request(.get, "/api/v1/segments", as: token).status == 403)
      #expect(try await harness.request(.post, "/api/auth/token", as: token).status == 403, "no token from a token")
      let beyond = try await harness.request(
        .post, "/api/auth/token", ["lifetime_s": 901, "scopes": ["keys:manage"]], as: key)
      #expect(beyond.fields == ["lifetime_s", "scopes[0]"])
    }
  }

  @Test func aLogoutEndsTheTokenAndNoOther() async throws {
    try await GatewayHarness.with { harness in
      let key = try await harness.key(.viewer)
      func token() async throws -> String {
        try #require(try await harness.request(.post, "/api/auth/token", as: key).data["access_token"]?.stringValue)
      }
      let (first, second) = (try await token(), try await token())
      #expect(first != second)
      #expect(try await harness.request(.post, "/api/auth/logout", as: key).status == 403, "a key is revoked instead")
      #expect(try await harness.request(.post, "/api/auth/logout", as: first).status == 200)
      #expect(try await harness.request(.get, "/api/auth/me", as: first).status == 401)
      #expect(try await harness.request(.get, "/api/auth/me", as: second).status == 200)
    }
  }

  @Test func aTokenEndsWithItsKey() async throws {
    try await GatewayHarness.with { harness in
      let admin = try await harness.key(.admin)
      let made = try await harness.request(.post, "/api/v1/api-keys", ["name": "x", "role": "viewer"], as: admin)
      let (key, id) = (try #require(made.data["key"]?.stringValue), try #require(made.data["_id"]?.stringValue))
      let token = try #require(
        try await harness.request(.post, "/api/auth/token", as: key).data["access_token"]?.stringValue)
      #expect(try await harness.request(.get, "/api/auth/me", as: token).status == 200)
      try await harness.request(.delete, "/api/v1/api-keys/\(id)", as: admin)
      #expect(try await harness.request(.get, "/api/auth/me", as: token).status == 401)
    }
  }

  /// The bound that is stated: `AUTH_CACHE_S`.
  @Test func aRevocationReachesTheOtherGatewayInTime() async throws {
    let one = try await GatewayHarness(["AUTH_CACHE_S": "1"])
    let two = try await GatewayHarness(["AUTH_CACHE_S": "1"], database: one.database)
    let admin = try await one.key(.admin)
    let made = try await one.request(.post, "/api/v1/api-keys", ["name": "x", "role": "viewer"], as: admin)
    let (key, id) = (try #require(made.data["key"]?.stringValue), try #require(made.data["_id"]?.stringValue))
    let token = try #require(try await one.request(.post, "/api/auth/token", as: key).data["access_token"]?.stringValue)
    #expect(try await two.request(.get, "/api/auth/me", as: key).status == 200)
    #expect(try await two.request(.get, "/api/auth/me", as: token).status == 200)

    try await one.request(.post, "/api/auth/logout", as: token)
    try await one.request(.delete, "/api/v1/api-keys/\(id)", as: admin)
    #expect(try await one.request(.get, "/api/auth/me", as: key).status == 401, "at once where it was revoked")
    let revokedAt = ContinuousClock.now
    try await until("the other gateway refuses both", within: .seconds(10)) {
      let statuses = [
        try await two.request(.get, "/api/auth/me", as: key).status,
        try await two.request(.get, "/api/auth/me", as: token).status,
      ]
      return statuses == [401, 401]
    }
    #expect(revokedAt.duration(to: .now) < .seconds(5))
    await one.close()
    await two.close()
  }

  /// The attacks themselves are in JWTVerifierTests; here: none of them gets past the gateway.
  @Test func forgedTokensAreRefused() async throws {
    try await GatewayHarness.with { harness in
      let now = SystemClock().now().milliseconds / 1000
      let keyID = ObjectID()
      let good: JSONObject = [
        "iss": "minicrm", "aud": "minicrm", "sub": .string("key:\(keyID.hex)"), "role": "admin", "iat": .int(now),
        "exp": .int(now + 600),
      ]
      func signed(
        _ header: JSONValue = ["alg": "HS256", "typ": "at+jwt"], _ changes: JSONObject = [:],
        secret: String = GatewayHarness.jwtSecret
      ) -> String {
        var claims = good
        for (name, value) in changes { claims[name] = value }
        let input = Base64URL.encode(header.encoded()) + "." + Base64URL.encode(JSONValue.object(claims).encoded())
        return input + "." + Base64URL.encode(HMACSHA256.authenticate(Array(input.utf8), key: Array(secret.utf8)))
      }
      let unsigned = signed(["alg": "none", "typ": "at+jwt"]).split(separator: ".").prefix(2).joined(separator: ".")
      let tokens = [
        signed(), unsigned + ".", unsigned, signed(secret: ""), signed(secret: "secret"),
        signed(["alg": "RS256", "typ": "at+jwt"]), signed(["alg": "HS256", "typ": "at+jwt", "crit": ["x"], "x": 1]),
        signed(["alg": "HS256", "typ": "at+jwt", "kid": "../../../dev/null"], secret: ""),
        signed(["alg": "HS256", "typ": "JWT"]), signed(["alg": "HS256", "typ": "at+jwt"], ["exp": .int(now - 60)]),
        signed(["alg": "HS256", "typ": "at+jwt"], ["nbf": .int(now + 60)]),
        signed(["alg": "HS256", "typ": "at+jwt"], ["aud": "other"]),
        signed(["alg": "HS256", "typ": "at+jwt"], ["iss": "other"]),
        signed(["alg": "HS256", "typ": "at+jwt"], ["sub": "admin"]),
        signed(["alg": "HS256", "typ": "at+jwt"], ["role": "root"]), String(repeating: "A", count: 9000),
      ]
      for token in tokens {
        let answer = try await harness.request(.get, "/api/v1/leads", as: token)
        #expect(answer.status == 401, "\(token.prefix(80)): \(answer.text)")
        #expect(answer.headers["WWW-Authenticate"]?.contains("invalid_token") == true)
      }
    }
  }

  @Test func ourSecretDoesNotSpeakForAnotherIssuer() async throws {
    let settings = ["JWT_PUBLIC_KEY": ForeignKeys.p256, "JWT_PUBLIC_KEY_ISSUER": "https://id.example"]
    try await GatewayHarness.with(settings) { harness in
      // Nobody has its private key: what is signed with our own secret in that issuer's name must not pass.
      let signer = try #require(JWTSigner(secret: Array(GatewayHarness.jwtSecret.utf8), type: "at+jwt"))
      let now = SystemClock().now().milliseconds / 1000
      let token = signer.sign([
        "iss": "https://id.example", "aud": "minicrm", "sub": "ana", "role": "admin", "exp": .int(now + 60),
      ])
      #expect(try await harness.request(.get, "/api/auth/me", as: token).status == 401)
    }
  }
}
