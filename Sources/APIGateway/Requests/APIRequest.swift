import BSON
import CRMCore
import CSV
import Crypto
import HTTP
import JSON
import Runtime

/// A request on its way through a handler: the HTTP request, its trace, and what its repetition must find again.
struct APIRequest: Sendable {
  static let jsonDepth = 64

  var http: HTTPRequest
  let trace: TraceContext
  let log: Logger
  /// Who makes it.
  var caller = Principal.anonymous
  /// The id of what this request creates. Under an idempotency key it is the same for every attempt.
  var effectID = ObjectID()
  /// An earlier attempt under the same idempotency key may have had its effect already.
  var isRetry = false

  init(_ http: HTTPRequest, log: Logger) {
    self.http = http
    trace = http.headers["traceparent"].flatMap { TraceContext(traceparent: $0) }?.child() ?? TraceContext()
    self.log = log
  }

  /// Whom to name as the maker of something when the request does not; nil when nobody is known.
  var author: String? { caller.kind == .anonymous ? nil : caller.name }

  /// Makes sure that the caller may also do what takes another scope than the route's.
  ///
  /// - Throws: `Problem` (403) that names the scope.
  func require(_ scope: Scope) throws(Problem) {
    let access = Access.scope(scope)
    guard access.allows(caller.scopes) else { throw Problem.forbidden(access, caller) }
  }

  /// The id of a run that this request launches.
  var runID: UUIDBytes { UUIDBytes(v5: effectID.hex, namespace: APIRequest.runNamespace) }

  /// Names runs after the requests that launch them; fixed for ever, since a retry must find what the first attempt made.
  private static let runNamespace = UUIDBytes(high: 0x6d69_6e69_6372_4d72, low: 0x9c75_6e73_0000_0001)

  /// A `:name` segment that is an ObjectId.
  func objectID(_ name: String = "id") throws(ValidationError) -> ObjectID {
    if let id = http.parameters[name].flatMap({ ObjectID(hex: $0) }) { return id }
    throw ValidationError(field: name, code: "invalid_id", message: "must be an id of 24 hexadecimal digits")
  }

  var query: QueryReader { QueryReader(http.query) }

  /// Refuses every query parameter, for requests that take none.
  func expectNoQuery() throws(ValidationError) {
    var query = query
    try query.finish()
  }

  /// The JSON body.
  ///
  /// - Throws: `Problem` when the content type is another, or the text is not JSON.
  func json() throws -> JSONValue {
    try checkContentType()
    return try JSONValue.parse(http.body.bytes ?? [], maxDepth: APIRequest.jsonDepth)
  }

  /// The JSON body, with the elements of one array handed over one after another: see `JSONValue`'s parser.
  ///
  /// - Throws: `Problem` when the content type is another, or the text is not JSON.
  func json(
    elementsOf member: String, atMost limit: Int, _ body: (_ index: Int, JSONValue) -> Void
  ) throws -> (rest: JSONValue, handedOver: Bool) {
    try checkContentType()
    return try JSONValue.parse(
      http.body.bytes ?? [], maxDepth: APIRequest.jsonDepth, elementsOf: member, atMost: limit, body)
  }

  /// The JSON body of a request that may come without one.
  func jsonIfAny() throws -> JSONValue? {
    guard let bytes = http.body.bytes, !bytes.isEmpty else { return nil }
    return try json()
  }

  /// A merge patch (RFC 7396), as `application/merge-patch+json` or as plain JSON.
  func mergePatch() throws -> JSONValue {
    try checkContentType(or: APIRequest.mergePatchType)
    return try JSONValue.parse(http.body.bytes ?? [], maxDepth: APIRequest.jsonDepth)
  }

  /// The encoding of a CSV body, where the request says it.
  ///
  /// - Throws: `Problem` when the content type is another.
  func csvEncoding() throws(Problem) -> CSVEncoding? {
    let header = http.headers["Content-Type"]?.lowercased() ?? ""
    let parts = header.split(separator: ";", omittingEmptySubsequences: false).map {
      $0.filter { !" \t\"".contains($0) }
    }
    let charset = parts.dropFirst().first { $0.hasPrefix("charset=") }?.dropFirst("charset=".count)
    guard parts.first == HTTPResponse.csvType else {
      throw Problem(.unsupportedMediaType, "The body needs a Content-Type: \(HTTPResponse.csvType).")
    }
    guard let charset else { return nil }
    if let encoding = CSVEncoding(charset: String(charset)) { return encoding }
    throw Problem(.unsupportedMediaType, "CSV is accepted in UTF-8 and Latin-1 (ISO 8859-1, Windows-1252) only.")
  }

  static let mergePatchType = "application/merge-patch+json"

  /// Accepts `application/json`, with `charset=utf-8` at most beside it.
  ///
  /// - Parameter other: another type that is good, too.
  func checkContentType(or other: String? = nil) throws(Problem) {
    guard let header = http.headers["Content-Type"] else {
      throw Problem(.unsupportedMediaType, "The body needs a Content-Type: \(other ?? "application/json").")
    }
    // Nearly every request says exactly this.
    if header == "application/json" { return }
    let parts = header.lowercased().split(separator: ";", omittingEmptySubsequences: false).map { part in
      String(part.drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }
    let parameters = parts.dropFirst()
    guard parts[0] == "application/json" || parts[0] == other,
      parameters.allSatisfy({ ["charset=utf-8", "charset=\"utf-8\""].contains($0) })
    else {
      let types = ["application/json", other].compactMap(\.self).joined(separator: " or ")
      throw Problem(.unsupportedMediaType, "Bodies are accepted as \(types) in UTF-8 only.")
    }
  }
}
