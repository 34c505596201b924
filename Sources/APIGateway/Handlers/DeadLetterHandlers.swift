import CRMCore
import CRMStore
import CivilTime
import Crypto
import HTTP
import JSON
import Runtime
import ServiceHost

/// `/api/v1/dlq`: what consumers gave up, for people to look at, replay and discard.
struct DeadLetterHandlers: Sendable {
  let gateway: Gateway

  /// Letters replayed by one request at most, and when it does not say.
  private static let largestReplay: Int64 = 1000
  private static let usualReplay = 100

  var routes: [Route] {
    let json = Route.Body.json(limit: Route.ordinaryLimit)
    return [
      Route(
        .get, "/api/v1/dlq", "listDeadLetters", operation: .listDeadLetters, access: .scope(.deadLettersRead), list),
      Route(
        .get, "/api/v1/dlq/:id", "getDeadLetter", operation: .getDeadLetter, access: .scope(.deadLettersRead), show),
      Route(
        .post, "/api/v1/dlq/:id/replay", "replayDeadLetter", operation: .replayDeadLetter,
        access: .scope(.deadLettersReplay), effect: .change(.deadLetter), body: json, idempotent: true,
        needs: [.database, .kafka], replay),
      Route(
        .post, "/api/v1/dlq/:id/discard", "discardDeadLetter", operation: .discardDeadLetter,
        access: .scope(.deadLettersReplay), effect: .change(.deadLetter), body: json, discard),
      Route(
        .post, "/api/v1/dlq/replay", "replayDeadLetters", operation: .replayDeadLetters,
        access: .scope(.deadLettersReplay), effect: .bulk(.deadLetter), body: json, idempotent: true,
        needs: [.database, .kafka], replayMany),
    ]
  }

  private var replayer: DeadLetterReplayer { DeadLetterReplayer(store: gateway.store, producer: gateway.producer) }

  @Sendable private func list(_ request: APIRequest) async throws -> HTTPResponse {
    var reader = request.query
    let page = reader.page(in: Store.deadLetterOrder)
    var filter = DeadLetterFilter()
    filter.topic = reader.text("topic", length: 1...249)
    filter.errorClass = reader.text("error_class", length: 1...200)
    filter.state = reader.choice("state")
    filter.from = reader.timestamp("from")
    filter.to = reader.timestamp("to")
    try reader.finish()
    let found = try await gateway.store.deadLetters(filter, start: page.start, limit: page.limit)
    return .page(found, page) { letter, writer in writer.value(.object(letter.summary)) }
  }

  @Sendable private func show(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    return .data(try await gateway.store.deadLetter(try id(request)))
  }

  @Sendable private func replay(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    try expectNoFields(request)
    let letter = try await gateway.store.deadLetter(try id(request))
    try await checkRate(1)
    let result = try await replayer.replay(letter)
    return .data(try await answer(letter.id, result))
  }

  @Sendable private func discard(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    try expectNoFields(request)
    let letter = try await gateway.store.deadLetter(try id(request))
    try await gateway.store.mark([letter], .discard)
    return .data(try await gateway.store.deadLetter(letter.id))
  }

  /// Replays the oldest letters that match and that nobody has looked after.
  @Sendable private func replayMany(_ request: APIRequest) async throws -> HTTPResponse {
    try request.expectNoQuery()
    var reader = ObjectReader(try request.jsonIfAny() ?? [:])
    var filter = DeadLetterFilter()
    filter.state = .new
    filter.topic = reader.string("topic", length: 1...249)
    filter.errorClass = reader.string("error_class", length: 1...200)
    filter.from = reader.timestamp("from")
    filter.to = reader.timestamp("to")
    let limit = reader.integer("limit", in: 1...Self.largestReplay).map(Int.init) ?? Self.usualReplay
    if let error = ValidationError(reader.finish()) { throw error }
    let letters = try await gateway.store.oldestDeadLetters(filter, limit: limit)
    if !letters.isEmpty { try await checkRate(letters.count) }
    let results = try await replayer.replay(letters)
    return .data(Self.summary(of: results, asked: letters.count))
  }

  /// Counts by result, and what was refused, with its reason.
  private static func summary(
    of results: [(letter: FiledLetter, result: DeadLetterReplayer.Result)], asked: Int
  ) -> JSONValue {
    var counts: [String: Int] = [:]
    var refused: [JSONValue] = []
    for (letter, result) in results {
      counts[result.label, default: 0] += 1
      if case .refused(let reason) = result {
        refused.append(["_id": .string(letter.id.string), "reason": .string(reason)])
      }
    }
    return [
      "found": .int(Int64(asked)), "republished": .int(Int64(counts["republished"] ?? 0)),
      "reopened": .int(Int64(counts["reopened"] ?? 0)), "superseded": .int(Int64(counts["superseded"] ?? 0)),
      "refused": .array(refused),
    ]
  }

  private func answer(_ id: UUIDBytes, _ result: DeadLetterReplayer.Result) async throws -> JSONValue {
    var object = try await gateway.store.deadLetter(id).summary
    object["result"] = .string(result.label)
    if case .superseded(let status) = result { object["send_status"] = .string(status.rawValue) }
    return .object(object)
  }

  /// Replays of all clients and replicas share a limit, so that a click does not flood the consumers.
  private func checkRate(_ count: Int) async throws {
    let perMinute = gateway.context.settings[CRMSettings.replayRate]
    let slots = try await gateway.store.reserveSlots(
      "dlq/replay", count: count, perMinute: perMinute, patience: .zero)
    guard slots.isGranted else {
      let seconds = Int((slots.wait / .milliseconds(1000)).rounded(.up))
      throw Problem(
        .tooManyRequests, "Dead letters are replayed at \(perMinute) a minute at most.", retryAfter: max(1, seconds))
    }
  }

  private func id(_ request: APIRequest) throws(ValidationError) -> UUIDBytes {
    if let id = request.http.parameters["id"].flatMap({ UUIDBytes($0) }) { return id }
    throw ValidationError(field: "id", code: "invalid_id", message: "must be a UUID")
  }

  private func expectNoFields(_ request: APIRequest) throws {
    guard let json = try request.jsonIfAny() else { return }
    var reader = ObjectReader(json)
    if let error = ValidationError(reader.finish()) { throw error }
  }
}
