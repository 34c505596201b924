import Crypto
import HTTP
import JSON
import Testing

@Suite("vendor-sim: behaviour on request")
struct VendorSimBehaviourTests {
  private let folder: TemporaryFolder
  private let listener: ReceiptListener
  private let simulator: VendorSimProcess

  init() async throws {
    folder = try TemporaryFolder()
    listener = try ReceiptListener()
    simulator = try await VendorSimProcess(ledger: folder.ledger, receiptURL: listener.url)
  }

  private static let standard: JSONValue = [
    "failure_rate": 0.1, "delay_ms": [50, 200], "accept_status": 202, "accept_delay_ms": 0, "hang_rate": 0.0,
    "accept_then_timeout_rate": 0.0, "outage": false,
    "receipts": ["drop_rate": 0.0, "duplicate": 1, "shuffle": false, "early": false], "honour_idempotency_key": true,
  ]

  @Test("a change changes the keys that it names and no others")
  func change() async throws {
    #expect(try await simulator.behaviour() == Self.standard)
    try await simulator.behave(["failure_rate": 0.5, "receipts": ["duplicate": 3]])
    var expected = Self.standard.objectValue
    expected?["failure_rate"] = 0.5
    expected?["receipts"] = ["drop_rate": 0.0, "duplicate": 3, "shuffle": false, "early": false]
    #expect(try await simulator.behaviour().objectValue == expected)
  }

  @Test(
    "a change that is wrong in one key changes nothing",
    arguments: [
      ("{\"outage\":true,\"failure_rate\":1.5}", "failure_rate"), ("{\"outage\":true,\"delay_ms\":[9,1]}", "delay_ms"),
      ("{\"outage\":true,\"delay_ms\":[1]}", "delay_ms"), ("{\"outage\":\"yes\"}", "outage"),
      ("{\"outage\":true,\"accept_status\":99}", "accept_status"),
      ("{\"outage\":true,\"receipts\":{\"duplicate\":0}}", "receipts.duplicate"),
      ("{\"outage\":true,\"recepts\":{}}", "recepts"), ("[]", "body"), ("{", "body"),
    ])
  func wrongChange(_ body: String, _ field: String) async throws {
    let response = try await simulator.call(.put, "/v1/behaviour", Array(body.utf8))
    #expect(response.status == 400)
    let errors = try JSONValue.parse(response.body)["errors"]?.arrayValue ?? []
    #expect(errors.contains { $0["field"]?.stringValue == field })
    #expect(try await simulator.behaviour() == Self.standard)
  }

  @Test("an outage answers 503 to every call of the message API until it is over")
  func outage() async throws {
    let id = try await simulator.accepted()
    try await simulator.behave(["outage": true])
    let refused = try await simulator.post()
    #expect(refused.status == 503)
    #expect(refused.headers["Retry-After"] != nil)
    #expect(try await simulator.call(.get, "/v1/messages/\(id)").status == 503)
    #expect(try await simulator.call(.get, "/v1/messages?send_id=x").status == 503)
    #expect(try await simulator.ledger().count == 1)
    try await simulator.behave(["outage": false])
    _ = try await simulator.accepted()
  }

  @Test("a status beyond 299 accepts nothing, another success is answered as told", arguments: [500, 429, 422, 201])
  func acceptStatus(_ status: Int) async throws {
    try await simulator.behave(["accept_status": .int(Int64(status))])
    #expect(try await simulator.post().status == status)
    #expect(try await simulator.ledger().count == (status < 300 ? 1 : 0))
  }

  @Test("a delayed answer takes its time, and the receipt follows it")
  func acceptDelay() async throws {
    try await simulator.behave(["accept_delay_ms": 300, "delay_ms": [0, 0]])
    let began = ContinuousClock.now
    _ = try await simulator.accepted()
    let answered = ContinuousClock.now
    #expect(began.duration(to: answered) >= .milliseconds(300))
    try await eventually("the receipt arrives") { listener.taken.count == 1 }
    #expect(began.duration(to: try #require(listener.taken.first).at) >= .milliseconds(295))
  }

  @Test("a hanging call is not accepted, one that is accepted and times out is")
  func hanging() async throws {
    try await simulator.behave(["hang_rate": 1])
    await #expect(throws: HTTPClientError.self) { try await simulator.post(timeout: .milliseconds(300)) }
    #expect(try await simulator.ledger().isEmpty)
    try await simulator.behave(["hang_rate": 0, "accept_then_timeout_rate": 1, "delay_ms": [0, 0]])
    let sendID = UUIDBytes().string
    await #expect(throws: HTTPClientError.self) {
      try await simulator.post(sendID: sendID, key: sendID, timeout: .milliseconds(300))
    }
    #expect(try await simulator.ledger("?send_id=\(sendID)").count == 1)
    try await eventually("the receipt arrives") { listener.taken.first?["send_id"] == sendID }
    try await simulator.behave(["accept_then_timeout_rate": 0])
    _ = try await simulator.accepted(sendID: sendID, key: sendID)
    #expect(try await simulator.ledger().map { $0["effective"]?.boolValue } == [true, false])
    #expect(await simulator.stop() == 0)
  }

  @Test("receipts say FAILED for the share of messages that was asked for", arguments: [0.0, 1.0])
  func failureRate(_ rate: Double) async throws {
    try await simulator.behave(["failure_rate": .double(rate), "delay_ms": [0, 0]])
    for _ in 0..<10 { _ = try await simulator.accepted() }
    try await eventually("the receipts arrive") { listener.taken.count == 10 }
    #expect(listener.taken.allSatisfy { $0["status"] == (rate == 1 ? "FAILED" : "DELIVERED") })
    let told = try JSONValue.parse(try #require(listener.taken.first).body)
    #expect((told["error"]?["class"]?.stringValue != nil) == (rate == 1))
  }

  @Test("receipts are dropped, and repeated, as asked for")
  func droppedAndRepeated() async throws {
    try await simulator.behave(["receipts": ["drop_rate": 1], "delay_ms": [0, 0]])
    let dropped = try await simulator.accepted()
    try await simulator.behave(["receipts": ["drop_rate": 0, "duplicate": 3, "shuffle": true]])
    let repeated = try await simulator.accepted()
    try await eventually("three copies arrive") { listener.taken.count { $0["vendor_message_id"] == repeated } == 3 }
    #expect(!listener.all.contains { $0["vendor_message_id"] == dropped })
    let shown = try JSONValue.parse(try await simulator.call(.get, "/v1/messages/\(dropped)").body)
    #expect(["DELIVERED", "FAILED"].contains(shown["status"]?.stringValue), "what became of it can still be asked")
  }

  @Test("an early receipt arrives before the answer to its call")
  func early() async throws {
    try await simulator.behave(["receipts": ["early": true], "accept_delay_ms": 200])
    let id = try await simulator.accepted()
    let answered = ContinuousClock.now
    let receipt = try #require(listener.taken.first)
    #expect(receipt["vendor_message_id"] == id)
    #expect(receipt.at < answered)
  }

  @Test("a reset empties the ledger, restores the behaviour and forgets keys")
  func reset() async throws {
    try await simulator.behave(["failure_rate": 0.7])
    let old = try await simulator.accepted(sendID: "s", key: "k")
    #expect(try await simulator.call(.post, "/v1/reset").status == 200)
    #expect(try await simulator.ledger().isEmpty)
    #expect(try await simulator.behaviour() == Self.standard)
    #expect(try await simulator.call(.get, "/v1/messages/\(old)").status == 404)
    let new = try await simulator.accepted(sendID: "s", key: "k")
    #expect(new != old)
    #expect(try await simulator.ledger().map { $0["seq"]?.intValue } == [1])
  }
}
