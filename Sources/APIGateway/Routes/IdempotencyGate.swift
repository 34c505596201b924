import CRMCore
import CRMStore
import Crypto
import HTTP
import JSON
import Runtime

/// Carries a request out once, however often it arrives with the same `Idempotency-Key`.
///
/// The key is reserved before the effect together with the id of what the request makes, and the answer is kept after
/// it. An answer that says that there was no effect (4xx) is not kept: the key may be used for a corrected request. A
/// failure in between (5xx, a crash) leaves the reservation to the repetition, which goes on under the same id.
///
/// An answer that shows a secret is kept sealed by its idempotency key, of which only a digest is kept: the database, or a
/// copy of it, tells the secret to nobody who does not have the key.
struct IdempotencyGate: Sendable {
  static let header = "Idempotency-Key"
  static let replayedHeader = "Idempotency-Replayed"

  /// How long a repetition waits for the first attempt before it is told to come back.
  private static let patience = Duration.seconds(3)

  let store: Store
  let timeToLive: Duration
  /// Longer than a handler may take.
  let lease: Duration
  let log: Logger

  /// What a request under a key is to do.
  enum Turn {
    case execute(IdempotencyReservation)
    case replay(StoredResponse)
  }

  /// - Parameter sealed: whether the answer shows a secret.
  func run(
    _ key: String, _ request: APIRequest, sealed: Bool, _ handler: Route.Handler
  ) async throws -> HTTPResponse {
    let seal = sealed ? AnswerSeal(key) : nil
    let fingerprint = IdempotencyGate.fingerprint(request.http, withBody: true)
    switch try await turn(key, keptAs: seal?.keyDigest ?? key, request, fingerprint: fingerprint) {
    case .execute(let reservation): return await execute(reservation, request, seal, handler)
    case .replay(var response):
      if let seal {
        guard let body = seal.open(response.body) else { throw TamperedAnswer() }
        response.body = body
      }
      return IdempotencyGate.replay(response)
    }
  }

  /// Reserves a key for a request whose body arrives while it is carried out: what is compared is the target alone.
  func reserve(_ key: String, _ request: APIRequest) async throws -> IdempotencyReservation {
    let fingerprint = IdempotencyGate.fingerprint(request.http, withBody: false)
    switch try await turn(key, keptAs: key, request, fingerprint: fingerprint) {
    case .execute(let reservation): return reservation
    case .replay: throw Problem(.conflict, "This Idempotency-Key belongs to a request that was answered at once.")
    }
  }

  private func turn(
    _ key: String, keptAs name: String, _ request: APIRequest, fingerprint: [UInt8]
  ) async throws -> Turn {
    guard (1...255).contains(key.utf8.count), key.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
      throw ValidationError(
        field: IdempotencyGate.header, code: "invalid_key", message: "must be 1 to 255 visible ASCII characters")
    }
    // A key is its caller's own: nobody gets an answer that was given to somebody else.
    let caller = hexString(SHA256.digest(Array(request.caller.id.utf8)).prefix(16))
    let scoped = "\(request.http.method) \(request.http.path) \(caller) \(name)"
    let deadline = ContinuousClock.now + IdempotencyGate.patience
    let backoff = Backoff(base: .milliseconds(20), cap: .milliseconds(200))
    var attempt = 0
    while true {
      switch try await store.reserveIdempotencyKey(
        scoped, fingerprint: fingerprint, lease: lease, timeToLive: timeToLive)
      {
      case .execute(let reservation):
        return .execute(reservation)
      case .replay(let response):
        return .replay(response)
      case .mismatch:
        throw Problem(
          .idempotencyMismatch, "This Idempotency-Key was used for a request with another body or other parameters.")
      case .inProgress:
        guard ContinuousClock.now < deadline else {
          throw Problem(
            .requestInProgress, "A request with this Idempotency-Key is being carried out. Ask again later.",
            retryAfter: 2)
        }
        try await Task.sleep(for: .milliseconds(20) + backoff.delay(attempt: attempt))
        attempt += 1
      }
    }
  }

  private func execute(
    _ reservation: IdempotencyReservation, _ request: APIRequest, _ seal: AnswerSeal?, _ handler: Route.Handler
  ) async -> HTTPResponse {
    var request = request
    request.effectID = reservation.effectID
    request.isRetry = reservation.isRetry
    let response: HTTPResponse
    do {
      response = try await handler(request)
    } catch {
      response = RouteRunner.problem(error, request).response(to: request.http)
    }
    // A client that goes away, or a deadline, cancels the request: its repetition finds what became of it all the same.
    let requestID = request.http.id
    let isKept = await Task { await keep(response, seal, reservation, requestID) }.value
    // The repetition of one that is not kept makes a new secret: nobody must have got this one.
    if seal != nil, !isKept { return Self.unkeptSecret.response(to: request.http) }
    return response
  }

  private static let unkeptSecret = Problem(
    .dependencyUnavailable, "What was made could not be kept for a repetition. Repeat the request under the same key.",
    retryAfter: 2)

  /// - Returns: false when the repetition of a request that succeeded will not get its answer.
  private func keep(
    _ response: HTTPResponse, _ seal: AnswerSeal?, _ reservation: IdempotencyReservation, _ requestID: String
  ) async -> Bool {
    let hasSucceeded = (200..<300).contains(response.status)
    do {
      if hasSucceeded, let bytes = response.bytes, let body = seal.map({ $0.seal(bytes) }) ?? bytes {
        let headers = response.headers.map { (name: $0.name, value: $0.value) }
        try await store.complete(
          reservation, with: StoredResponse(status: response.status, headers: headers, body: body))
        return true
      }
      if response.status < 500, !reservation.isRetry, seal == nil || !hasSucceeded {
        try await store.release(reservation)
      } else {
        // An earlier attempt may have had its effect: the next one must find it, whatever refused this one.
        try await store.suspend(reservation)
      }
    } catch {
      // The answer is right all the same; a repetition finds the reservation once its lease has run out.
      log.warning(
        "the outcome of a request was not kept under its idempotency key",
        [LogKey.requestID: .string(requestID), LogKey.error: .string("\(error)")])
    }
    return !hasSucceeded
  }

  private static func replay(_ stored: StoredResponse) -> HTTPResponse {
    var response = HTTPResponse(status: stored.status, body: .bytes(stored.body))
    for (name, value) in stored.headers { response.headers.add(name, value) }
    response.headers.add(replayedHeader, "true")
    return response
  }

  private static func fingerprint(_ request: HTTPRequest, withBody: Bool) -> [UInt8] {
    let body = withBody ? request.body.bytes ?? [] : []
    return SHA256.digest(Array("\(request.method) \(request.rawTarget)\n".utf8) + body)
  }
}

/// An answer that was sealed by this very key cannot be opened: what is stored has been changed.
private struct TamperedAnswer: Error {}

/// Closes an answer with an idempotency key, whose digest and not itself is kept beside it.
private struct AnswerSeal: Sendable {
  private let key: [UInt8]
  /// What the idempotency key is kept as.
  let keyDigest: String

  init(_ idempotencyKey: String) {
    let bytes = Array(idempotencyKey.utf8)
    // Different purposes, so that neither tells the other.
    key = HMACSHA256.authenticate(Array("minicrm: an answer kept under an idempotency key".utf8), key: bytes)
    keyDigest = "sha256:" + hexString(SHA256.digest(bytes))
  }

  func seal(_ body: [UInt8]) -> [UInt8]? { AESGCM.seal(body, key: key) }

  func open(_ sealed: [UInt8]) -> [UInt8]? { AESGCM.open(sealed, key: key) }
}
