import CRMCore
import HTTP
import JSON

/// What a test or an operator asks of the simulator beside messages: its ledger, its behaviour, a fresh start. Answered
/// during an outage, too.
struct ControlRoutes: Sendable {
  private let ledger: Ledger

  init(ledger: Ledger) { self.ledger = ledger }

  func register(in router: inout HTTPRouter) {
    router.on(.get, "/v1/ledger") { try lines($0) }
    router.on(.get, "/v1/behaviour") { request in
      try QueryCheck.only([], request)
      return .json(ledger.behaviour.jsonValue.encoded())
    }
    router.on(.put, "/v1/behaviour") { try await change($0) }
    router.on(.post, "/v1/reset") { request in
      try QueryCheck.only([], request)
      try await ledger.reset()
      let state: JSONValue = ["messages": 0, "behaviour": ledger.behaviour.jsonValue]
      return .json(state.encoded())
    }
  }

  /// The ledger's lines in order, of one send id where given, after a `seq` where given.
  private func lines(_ request: HTTPRequest) throws -> HTTPResponse {
    try QueryCheck.only(["send_id", "after"], request)
    var after: UInt32 = 0
    if let text = request.query["after"] {
      guard let number = Int64(text), number >= 0 else {
        throw ValidationError(
          field: "after", code: "out_of_range", message: "must be a sequence number, an integer from 0")
      }
      after = UInt32(clamping: number)
    }
    let extract: LedgerExtract
    if let sendID = request.query["send_id"] {
      extract = ledger.extract(ofSend: sendID, after: after)
    } else {
      extract = ledger.extract(after: after)
    }
    let length = extract.ranges.reduce(0) { $0 + $1.count }
    return HTTPResponse(
      headers: ["Content-Type": "application/x-ndjson", "Cache-Control": "no-store"],
      body: .stream(length: length, ledger.stream(extract)))
  }

  private func change(_ request: HTTPRequest) async throws -> HTTPResponse {
    try QueryCheck.only([], request)
    let json: JSONValue
    do {
      json = try JSONValue.parse(try await request.body.collect(upTo: 64 << 10))
    } catch let error as JSONError {
      throw ValidationError(field: "body", code: "malformed_json", message: "\(error)")
    }
    return .json(try await ledger.change(json).jsonValue.encoded())
  }
}
