import CRMCore
import HTTP
import JSON

/// What went wrong with a request, as `application/problem+json` tells it (RFC 9457).
struct Problem: Error, Sendable {
  /// The kinds of problems: each has its own `type`, and always the same status and title.
  enum Kind: String, CaseIterable, Sendable {
    case malformedRequest = "malformed-request"
    case validationFailed = "validation-failed"
    case invalidSignature = "invalid-signature"
    case unauthenticated
    case forbidden
    case notFound = "not-found"
    case methodNotAllowed = "method-not-allowed"
    case notAcceptable = "not-acceptable"
    case requestTimeout = "request-timeout"
    case conflict
    case requestInProgress = "request-in-progress"
    case replayedWebhook = "replayed-webhook"
    case bodyTooLarge = "body-too-large"
    case targetTooLong = "target-too-long"
    case unsupportedMediaType = "unsupported-media-type"
    case idempotencyMismatch = "idempotency-mismatch"
    case unknownReference = "unknown-reference"
    case impossibleSchedule = "impossible-schedule"
    case impossibleRule = "impossible-rule"
    case impossibleScope = "impossible-scope"
    case impossibleMessage = "impossible-message"
    case impossibleTotal = "impossible-total"
    case cannotTranslate = "cannot-translate"
    case tooManyRequests = "too-many-requests"
    case headersTooLarge = "headers-too-large"
    case internalError = "internal-error"
    case dependencyUnavailable = "dependency-unavailable"
    case overloaded
    case tooSlow = "too-slow"
    case ruleTooSlow = "rule-too-slow"
    case stopping

    var status: Int {
      switch self {
      case .malformedRequest, .validationFailed: 400
      case .invalidSignature, .unauthenticated: 401
      case .forbidden: 403
      case .notFound: 404
      case .methodNotAllowed: 405
      case .notAcceptable: 406
      case .requestTimeout: 408
      case .conflict, .requestInProgress, .replayedWebhook: 409
      case .bodyTooLarge: 413
      case .targetTooLong: 414
      case .unsupportedMediaType: 415
      case .idempotencyMismatch, .unknownReference, .impossibleSchedule, .impossibleRule, .impossibleScope,
        .impossibleMessage, .impossibleTotal, .cannotTranslate:
        422
      case .tooManyRequests: 429
      case .headersTooLarge: 431
      case .internalError: 500
      case .dependencyUnavailable, .overloaded, .tooSlow, .ruleTooSlow, .stopping: 503
      }
    }

    var title: String {
      switch self {
      case .malformedRequest: "The request cannot be read"
      case .validationFailed: "The request has invalid fields"
      case .invalidSignature: "The signature is not valid"
      case .unauthenticated: "Nobody knows who this is"
      case .forbidden: "This may not be done"
      case .notFound: "There is no such thing"
      case .methodNotAllowed: "The method is not allowed here"
      case .notAcceptable: "No type of answer is acceptable"
      case .requestTimeout: "The request did not arrive in time"
      case .conflict: "The request conflicts with the present state"
      case .requestInProgress: "The same request is being carried out"
      case .replayedWebhook: "The signed request has been carried out before"
      case .bodyTooLarge: "The body is too large"
      case .targetTooLong: "The request target is too long"
      case .unsupportedMediaType: "The media type is not supported"
      case .idempotencyMismatch: "The idempotency key belongs to another request"
      case .unknownReference: "The request refers to something that does not exist"
      case .impossibleSchedule: "The schedule is not possible"
      case .impossibleRule: "The rule cannot mean anything"
      case .impossibleScope: "The scopes are more than can be given"
      case .impossibleMessage: "There is no message to send"
      case .impossibleTotal: "The totals do not fit together"
      case .cannotTranslate: "This cannot be said as a rule"
      case .tooManyRequests: "There are too many requests of this kind"
      case .headersTooLarge: "The request's head is too large"
      case .internalError: "The server failed"
      case .dependencyUnavailable: "A dependency does not answer"
      case .overloaded: "The server is overloaded"
      case .tooSlow: "The request takes too long"
      case .ruleTooSlow: "The rule takes the database too long"
      case .stopping: "The server is stopping"
      }
    }

    /// `type` is a reference relative to the API's own address, where the documentation of problems is served.
    var type: String { "/problems/\(rawValue)" }
  }

  static let mediaType = "application/problem+json"

  let kind: Kind
  var detail: String
  var errors: [FieldError] = []
  /// Seconds after which to try again.
  var retryAfter: Int?
  /// Headers of the response, beyond those of every problem.
  var headers = HTTPHeaders()
  /// Members beyond those of every problem: `current_status`, `runId`.
  var members: [(name: String, value: JSONValue)] = []

  init(
    _ kind: Kind, _ detail: String, errors: [FieldError] = [], retryAfter: Int? = nil,
    members: [(name: String, value: JSONValue)] = []
  ) {
    self.kind = kind
    self.detail = detail
    self.errors = errors
    self.retryAfter = retryAfter
    self.members = members
  }

  /// Fields that cannot be accepted.
  ///
  /// A request is invalid by what its fields are, which the description of the API tells beforehand. One whose fields
  /// are all as described can still be impossible, by how they stand to each other or to what is stored.
  init(_ errors: [FieldError]) {
    let count = errors.count == 1 ? "1 field is" : "\(errors.count) fields are"
    let isImpossible = errors.allSatisfy { Problem.impossibilities[$0.code] != nil }
    let kind = isImpossible ? errors.first.flatMap { Problem.impossibilities[$0.code] } : nil
    self.init(kind ?? .validationFailed, "\(count) not acceptable; see errors.", errors: errors)
  }

  /// Codes of errors that no schema foresees.
  private static let impossibilities: [String: Kind] = [
    "unknown_segment": .unknownReference, "inverted_range": .impossibleRule, "cycle": .impossibleRule,
    "in_the_past": .impossibleSchedule, "wrong_channel": .impossibleMessage, "beyond_role": .impossibleScope,
    "beyond_key": .impossibleScope,
    "missing_conversion": .impossibleTotal, "wrong_conversion": .impossibleTotal,
  ]

  /// The response to a request; a problem of the connection may have none.
  func response(to request: HTTPRequest?) -> HTTPResponse {
    var writer = JSONWriter(reservingCapacity: 256 + 128 * errors.count)
    writer.beginObject()
    writer.field("type", kind.type)
    writer.field("title", kind.title)
    writer.field("status", kind.status)
    writer.field("detail", detail)
    if let request {
      writer.field("instance", request.path)
      writer.field("request_id", request.id)
    }
    writer.field("success", false)
    if !errors.isEmpty { writer.field("errors", errors) }
    for (name, value) in members { writer.field(name, value) }
    writer.endObject()
    var response = HTTPResponse(status: kind.status, contentType: Problem.mediaType, writer.bytes)
    if let retryAfter { response.headers.add("Retry-After", String(retryAfter)) }
    for (name, value) in headers { response.headers.add(name, value) }
    return response
  }
}

extension JSONWriter {
  /// `[{"field","code","message"}, …]`
  mutating func field(_ name: String, _ errors: [FieldError]) {
    key(name)
    beginArray()
    for error in errors {
      beginObject()
      field("field", error.field)
      field("code", error.code)
      field("message", error.message)
      endObject()
    }
    endArray()
  }
}
