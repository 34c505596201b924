import CRMCore
import CivilTime
import HTTP
import JSON
import Runtime

/// The vendor's API for messages: accept one, tell what became of one.
struct MessageRoutes: Sendable {
  private let ledger: Ledger
  private let receipts: ReceiptDispatcher
  private let held: HeldCalls
  private let clock: any WallClock

  /// A body of the largest message, each of its code points escaped, fits.
  private static let bodyLimit = 512 << 10
  /// Calls that are never answered are given up after this; callers give up much sooner.
  private static let hangFor = Duration.seconds(600)
  /// Beyond anything that the behaviour can ask for.
  private static let deadline = Duration.seconds(3600)

  init(ledger: Ledger, receipts: ReceiptDispatcher, held: HeldCalls, clock: any WallClock) {
    self.ledger = ledger
    self.receipts = receipts
    self.held = held
    self.clock = clock
  }

  func register(in router: inout HTTPRouter) {
    let options = RouteOptions(bodyLimit: MessageRoutes.bodyLimit, deadline: MessageRoutes.deadline)
    router.on(.post, "/v1/messages", options: options) { try await accept($0) }
    router.on(.get, "/v1/messages") { try await find($0) }
    router.on(.get, "/v1/messages/:vendor_message_id") { try await show($0) }
  }

  // MARK: Accepting

  private func accept(_ request: HTTPRequest) async throws -> HTTPResponse {
    let behaviour = ledger.behaviour
    if behaviour.outage { return MessageRoutes.outage(request) }
    if MessageRoutes.happens(behaviour.hangRate) { return try await neverAnswer(request) }
    if behaviour.acceptStatus > 299 { return MessageRoutes.refusal(behaviour.acceptStatus, request) }
    let body = try await request.body.collect(upTo: MessageRoutes.bodyLimit)
    let message = try MessageRequest(body, idempotencyKey: request.headers["Idempotency-Key"])
    let accepted = try await ledger.accept(message)
    if accepted.plan?.early == true { await receipts.deliverNow(accepted.id) }
    if MessageRoutes.happens(behaviour.acceptThenTimeoutRate) { return try await neverAnswer(request) }
    if behaviour.acceptDelayMS > 0 { try await held.delay(for: .milliseconds(behaviour.acceptDelayMS)) }
    return .json(MessageRoutes.answer(accepted.id), status: behaviour.acceptStatus)
  }

  private static func answer(_ id: VendorMessageID) -> [UInt8] {
    var bytes = answerOpening
    bytes.reserveCapacity(bytes.count + 24)
    bytes.append(contentsOf: id.utf8)
    bytes.append(contentsOf: answerEnding)
    return bytes
  }

  private static let answerOpening = Array(#"{"status":"QUEUED_BY_VENDOR","vendor_message_id":""#.utf8)
  private static let answerEnding = Array(#""}"#.utf8)

  private static func happens(_ rate: Double) -> Bool { rate > 0 && Double.random(in: 0..<1) < rate }

  /// Keeps the call until the caller goes away, or the simulator stops.
  private func neverAnswer(_ request: HTTPRequest) async throws -> HTTPResponse {
    try await held.hang(atMost: MessageRoutes.hangFor)
    return Problem.unavailable("The simulator was told not to answer.", request)
  }

  private static func refusal(_ status: Int, _ request: HTTPRequest) -> HTTPResponse {
    let retry: HTTPHeaders = status == 429 || status == 503 ? ["Retry-After": "1"] : [:]
    return Problem.response(
      status, "Refused", "The simulator was told to answer \(status); the message was not accepted.", request,
      headers: retry)
  }

  private static func outage(_ request: HTTPRequest) -> HTTPResponse {
    Problem.unavailable("The simulator was told to be out of order.", request)
  }

  // MARK: Asking

  /// One message by its vendor id.
  private func show(_ request: HTTPRequest) async throws -> HTTPResponse {
    if ledger.behaviour.outage { return MessageRoutes.outage(request) }
    try QueryCheck.only([], request)
    let text = request.parameters["vendor_message_id"] ?? ""
    guard let id = VendorMessageID(text.utf8), let entry = try await ledger.readEntry(id) else {
      return Problem.response(404, "Not Found", "No message has this vendor_message_id.", request)
    }
    var writer = JSONWriter()
    write(id, entry, to: &writer)
    return .json(writer.bytes)
  }

  /// `{"messages":[…]}`: the messages that calls with a send id made, in order; none when there were no such calls.
  private func find(_ request: HTTPRequest) async throws -> HTTPResponse {
    if ledger.behaviour.outage { return MessageRoutes.outage(request) }
    try QueryCheck.only(["send_id"], request)
    guard let sendID = request.query["send_id"], !sendID.isEmpty else {
      throw ValidationError(field: "send_id", code: "required", message: "is required")
    }
    var writer = JSONWriter()
    writer.beginObject()
    writer.key("messages")
    writer.beginArray()
    for id in ledger.messages(ofSend: sendID).prefix(MessageRoutes.listLimit) {
      if let entry = try await ledger.readEntry(id) { write(id, entry, to: &writer) }
    }
    writer.endArray()
    writer.endObject()
    return .json(writer.bytes)
  }

  private static let listLimit = 1000

  private func write(_ id: VendorMessageID, _ entry: LedgerEntry, to writer: inout JSONWriter) {
    let settled = entry.plan.settlesAt <= clock.now()
    writer.beginObject()
    writer.field("vendor_message_id", id.description)
    writer.key("send_id")
    writer.raw(entry.line.sendID)
    writer.key("idempotency_key")
    writer.raw(entry.line.idempotencyKey)
    writer.key("to")
    writer.raw(entry.line.to)
    writer.key("message")
    writer.raw(entry.line.message)
    writer.field("status", settled ? entry.plan.status : "QUEUED_BY_VENDOR")
    if settled, entry.plan.failed {
      writer.key("error")
      Receipt.writeError(to: &writer)
    }
    writer.field("accepted_at", entry.line.at.description)
    writer.field("updated_at", (settled ? entry.plan.settlesAt : entry.line.at).description)
    writer.endObject()
  }
}

/// Query parameters that a route does not know are the caller's mistake.
enum QueryCheck {
  static func only(_ known: [String], _ request: HTTPRequest) throws(ValidationError) {
    let unknown = request.query.names.filter { !known.contains($0) }
    if let error = ValidationError(
      unknown.map { FieldError(field: $0, code: "unknown_parameter", message: "is not a known parameter") })
    {
      throw error
    }
  }
}
