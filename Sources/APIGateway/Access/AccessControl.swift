import BSON
import CRMCore
import CRMStore
import Crypto
import HTTP
import JWT
import Runtime
import ServiceHost

/// Finds out who makes a request and whether they may: the one place where that is decided.
///
/// What the database says of a credential is believed for `AUTH_CACHE_S`, so that busy clients cost no read for each
/// request; a revocation takes effect in all replicas within that time.
struct AccessControl: Sendable {
  /// Credentials that are remembered for certain; at most twice as many are.
  private static let cacheCapacity = 10_000
  /// How long a credential is looked up at most. A read by an index takes a millisecond; one that takes this long waits
  /// behind too many others, or for a server that is gone and has been replaced. That the database is silent is noticed
  /// sooner, and ends every look-up.
  private static let patience = Duration.seconds(5)

  let settings: AccessSettings
  let store: Store
  let clock: any WallClock
  /// Counts the requests of each credential; nil: unlimited.
  let limiter: RateLimiter?
  /// Asked instead of credentials where there are none.
  let localCaller: LocalCaller

  /// By the key's digest: what becomes of a whole key is remembered, the key is not. Unknown keys are apart, so that
  /// somebody who tries keys cannot push out those of others.
  private let keys: RefreshingCache<[UInt8], Principal?>
  private let tokens: RefreshingCache<[UInt8], TokenStanding>
  private let managers: RefreshingCache<Bool, Bool>
  private let lookup: CredentialLookup

  init(
    _ settings: AccessSettings, store: Store, clock: any WallClock, health: HealthBoard, limiter: RateLimiter?,
    localCaller: LocalCaller
  ) {
    self.settings = settings
    self.store = store
    self.clock = clock
    self.limiter = limiter
    self.localCaller = localCaller
    keys = RefreshingCache(capacity: AccessControl.cacheCapacity, validFor: settings.cacheTime)
    tokens = RefreshingCache(capacity: AccessControl.cacheCapacity, validFor: settings.cacheTime)
    managers = RefreshingCache(capacity: 1, validFor: settings.cacheTime)
    lookup = CredentialLookup(health: health, patience: AccessControl.patience)
  }

  /// Somebody who may, and what their limit says.
  struct Admission: Sendable {
    var caller: Principal
    var rate: RateDecision?
  }

  /// - Throws: `Problem`: 401 without a good credential, 403 when it is not good for this, 429 when it is used too often,
  ///   503 when the database that knows it is away, or does not answer for a while.
  func admit(_ request: HTTPRequest, to access: Access) async throws -> Admission {
    let caller: Principal
    switch access {
    case .open, .webhook: return Admission(caller: .anonymous)
    case .authenticated, .scope: caller = try await authenticate(request)
    }
    var rate: RateDecision?
    if caller.isIdentified, let limiter {
      let decision = limiter.take(caller.id)
      if decision.retryAfter != nil { throw Problem.tooManyRequests(decision, of: "this credential") }
      rate = decision
    }
    guard access.allows(caller.scopes) else {
      var problem = Problem.forbidden(access, caller)
      rate?.tell(&problem.headers)
      throw problem
    }
    return Admission(caller: caller, rate: rate)
  }

  func authenticate(_ request: HTTPRequest) async throws -> Principal {
    if settings.mode == .off {
      if let objection = localCaller.objection(to: request) { throw Problem(.forbidden, objection) }
      return .local
    }
    switch try Credential.read(request.headers) {
    case nil: throw Problem.unauthenticated("This needs an API key or a token.", isInvalid: false)
    case .apiKey(let secret):
      if isBootstrap(secret.text) { return try await bootstrap() }
      return try await principal(of: secret)
    case .bearer(let text):
      if isBootstrap(text) { return try await bootstrap() }
      return try await principal(ofToken: text)
    }
  }

  /// Makes a revocation effective here at once.
  func forgetAll() {
    keys.forgetAll()
    tokens.forgetAll()
    managers.forgetAll()
  }

  // MARK: Kinds of credentials

  private func principal(of secret: APIKeySecret) async throws -> Principal {
    let found = try await keys.value(secret.digest) { [self] in
      try await lookup.read { try await store.useAPIKey(secret).map { Principal($0) } }
    }
    guard let found else { throw Problem.unauthenticated("The API key is not valid.", isInvalid: true) }
    return found
  }

  private func principal(ofToken text: String) async throws -> Principal {
    let claims: JWTClaims
    do throws(JWTError) {
      claims = try settings.verifier.verify(text, now: clock.now())
    } catch {
      throw Problem.unauthenticated("The credential is not valid: \(error).", isInvalid: true)
    }
    let isOurs = claims.issuer == settings.issuer
    let keyID = isOurs ? Principal.keyID(claims.subject) : nil
    guard let role = claims.members["role"]?.stringValue.flatMap(Role.init(rawValue:)), !isOurs || keyID != nil else {
      throw Problem.unauthenticated("The token names no role that exists here.", isInvalid: true)
    }
    let standing = try await tokens.value(claims.fingerprint) { [self] in
      try await lookup.read { try await store.standing(ofToken: claims.fingerprint, keyID: keyID) }
    }
    guard standing == .good else { throw Problem.unauthenticated("The token has been revoked.", isInvalid: true) }
    var scopes = role.scopes
    if let narrowed = claims.members["scope"] {
      let words = (narrowed.stringValue ?? "").split(separator: " ").compactMap { Scope(rawValue: String($0)) }
      scopes.formIntersection(words)
    }
    return Principal(
      kind: .token(claims.fingerprint, until: claims.expiresAt),
      id: isOurs ? claims.subject : "user:\(claims.subject)",
      name: claims.members["name"]?.stringValue ?? claims.subject, role: role, scopes: scopes)
  }

  private func isBootstrap(_ text: String) -> Bool {
    // Digests, so that not even the length shows in the time that this takes.
    settings.bootstrapDigest.map { constantTimeEqual($0, SHA256.digest(Array(text.utf8))) } ?? false
  }

  /// The bootstrap key is good only while there is no other key that can make keys.
  private func bootstrap() async throws -> Principal {
    let isNeedless = try await managers.value(true) { [self] in
      try await lookup.read { try await store.hasKeyThatManagesKeys() }
    }
    guard !isNeedless else {
      throw Problem.unauthenticated("The bootstrap key has done its work: use an API key.", isInvalid: true)
    }
    return .bootstrap
  }
}

extension Problem {
  private static let realm = #"Bearer realm="minicrm""#

  /// 401 with the challenge of RFC 6750.
  ///
  /// - Parameter isInvalid: there was a credential, and it is not good.
  static func unauthenticated(_ detail: String, isInvalid: Bool) -> Problem {
    var problem = Problem(.unauthenticated, detail)
    problem.headers.add("WWW-Authenticate", realm + (isInvalid ? #", error="invalid_token""# : ""))
    return problem
  }

  /// 403 that names what is missing.
  static func forbidden(_ access: Access, _ caller: Principal) -> Problem {
    guard case .scope(let scope) = access else { return Problem(.forbidden, "This is not for you.") }
    var problem = Problem(
      .forbidden,
      caller.role.scopes.contains(scope)
        ? "The credential is not good for \(scope.rawValue)." : "The role \(caller.role.rawValue) may not do this.")
    problem.headers.add(
      "WWW-Authenticate", realm + #", error="insufficient_scope", scope="\#(scope.rawValue)""#)
    problem.members.append(("required_scope", .string(scope.rawValue)))
    return problem
  }

  static func tooManyRequests(_ decision: RateDecision, of whom: String) -> Problem {
    var problem = Problem(
      .tooManyRequests, "More than \(decision.limit) requests a minute of \(whom).", retryAfter: decision.retryAfter)
    decision.tell(&problem.headers)
    return problem
  }
}
