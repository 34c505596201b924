import CRMMessaging
import CivilTime
import Crypto
import Foundation
import HTTP
import JSON
import Testing

@Suite("vendor-sim: messages, ledger and receipts")
struct VendorSimMessageTests {
  private let folder: TemporaryFolder
  private let listener: ReceiptListener
  private let simulator: VendorSimProcess

  init() async throws {
    folder = try TemporaryFolder()
    listener = try ReceiptListener()
    simulator = try await VendorSimProcess(ledger: folder.ledger, receiptURL: listener.url)
  }

  @Test("an accepted message stands in the ledger as it was sent, and its receipt is signed")
  func acceptedMessage() async throws {
    let sendID = UUIDBytes().string
    let began = ContinuousClock.now
    let response = try await simulator.post(sendID: sendID, key: sendID, message: "Hi \"Ana\"\n\u{1F600} \\ \u{1}")
    #expect(response.status == 202)
    let vendorID = try #require(try JSONValue.parse(response.body)["vendor_message_id"]?.stringValue)

    let line = try #require(try await simulator.ledger().first)
    #expect(
      line.objectValue?.keys == [
        "seq", "at", "send_id", "idempotency_key", "to", "message", "vendor_message_id", "effective",
      ])
    #expect(line["seq"] == 1)
    #expect(line["send_id"]?.stringValue == sendID)
    #expect(line["idempotency_key"]?.stringValue == sendID)
    #expect(line["message"]?.stringValue == "Hi \"Ana\"\n\u{1F600} \\ \u{1}")
    #expect(line["to"] == "+14155550123")
    #expect(line["vendor_message_id"]?.stringValue == vendorID)
    #expect(line["effective"] == true)
    let at = try #require(line["at"]?.stringValue.flatMap { Timestamp(rfc3339: $0) })

    try await eventually("the receipt arrives") { listener.taken.count == 1 }
    let receipt = try #require(listener.taken.first)
    #expect(began.duration(to: receipt.at) >= .milliseconds(45))
    #expect(receipt["send_id"] == sendID)
    #expect(receipt["vendor"] == "simulator")
    #expect(receipt["vendor_message_id"] == vendorID)
    #expect(["DELIVERED", "FAILED"].contains(receipt["status"]))
    let told = try #require(receipt["timestamp"].flatMap { Timestamp(rfc3339: $0) })
    #expect(told.since(at) >= .milliseconds(50) && told.since(at) <= .milliseconds(200))
    try StandardWebhook(secrets: [VendorSimProcess.secret]).verify(
      id: receipt.headers[StandardWebhook.idHeader], timestamp: receipt.headers[StandardWebhook.timestampHeader],
      signature: receipt.headers[StandardWebhook.signatureHeader], body: receipt.body,
      now: Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000)))
  }

  @Test("a repeated key gets the first answer, a ledger line without effect, and no second receipt")
  func repeatedKey() async throws {
    try await simulator.behave(["delay_ms": [0, 0]])
    let sendID = UUIDBytes().string
    let first = try await simulator.accepted(sendID: sendID, key: "key-1")
    try await eventually("the receipt arrives") { listener.taken.count == 1 }
    #expect(try await simulator.accepted(sendID: sendID, key: "key-1") == first)
    let lines = try await simulator.ledger()
    #expect(lines.map { $0["effective"]?.boolValue } == [true, false])
    #expect(lines.allSatisfy { $0["vendor_message_id"]?.stringValue == first })
    // A later message's receipt shows that the time for a second one has passed.
    let marker = try await simulator.accepted()
    try await eventually("the marker's receipt arrives") {
      listener.taken.contains { $0["vendor_message_id"] == marker }
    }
    #expect(listener.all.count { $0["vendor_message_id"] == first } == 1)
  }

  @Test("of calls that arrive together under one key exactly one takes effect")
  func concurrentKey() async throws {
    let simulator = simulator
    let sendID = UUIDBytes().string
    let ids = try await withThrowingTaskGroup(of: String.self) { group in
      for _ in 0..<40 { group.addTask { try await simulator.accepted(sendID: sendID, key: sendID) } }
      return try await group.reduce(into: Set<String>()) { $0.insert($1) }
    }
    #expect(ids.count == 1)
    let lines = try await simulator.ledger()
    #expect(lines.count == 40)
    #expect(lines.count { $0["effective"] == true } == 1)
  }

  @Test("keys that are not honoured make a message a call, as do calls without a key")
  func keysNotHonoured() async throws {
    try await simulator.behave(["honour_idempotency_key": false])
    let sendID = UUIDBytes().string
    let first = try await simulator.accepted(sendID: sendID, key: sendID)
    #expect(try await simulator.accepted(sendID: sendID, key: sendID) != first)
    try await simulator.behave(["honour_idempotency_key": true])
    #expect(try await simulator.accepted(sendID: sendID, key: sendID) == first)
    #expect(try await simulator.accepted(sendID: sendID) != first)
    let lines = try await simulator.ledger()
    #expect(lines.map { $0["effective"]?.boolValue } == [true, true, false, true])
    #expect(lines[3]["idempotency_key"] == .null)
    let found = try JSONValue.parse(try await simulator.call(.get, "/v1/messages?send_id=\(sendID)").body)
    #expect(found["messages"]?.arrayValue?.count == 3)
  }

  @Test("a message can be asked for by its vendor id and by its send id, before and after it is settled")
  func asking() async throws {
    try await simulator.behave(["failure_rate": 1, "delay_ms": [300, 300]])
    let sendID = UUIDBytes().string
    let id = try await simulator.accepted(sendID: sendID, key: sendID)
    let simulator = simulator
    @Sendable func shown() async throws -> JSONValue {
      try JSONValue.parse(try await simulator.call(.get, "/v1/messages/\(id)").body)
    }
    #expect(try await shown()["status"] == "QUEUED_BY_VENDOR")
    try await eventually("the message is settled") { try await shown()["status"] == "FAILED" }
    let message = try await shown()
    #expect(message["send_id"]?.stringValue == sendID)
    #expect(message["message"] == "Hi John")
    #expect(message["error"]?["class"]?.stringValue?.isEmpty == false)
    let found = try JSONValue.parse(try await simulator.call(.get, "/v1/messages?send_id=\(sendID)").body)
    #expect(found["messages"] == .array([message]))
    let none = try JSONValue.parse(try await simulator.call(.get, "/v1/messages?send_id=nobody").body)
    #expect(none["messages"] == [])
    #expect(try await simulator.call(.get, "/v1/messages/sim_00000000_00000001").status == 404)
    #expect(try await simulator.call(.get, "/v1/messages/nonsense").status == 404)
    #expect(try await simulator.call(.get, "/v1/messages").status == 400)
  }

  @Test("the ledger is read on from a sequence number, and by send id")
  func ledgerPaging() async throws {
    let sendID = UUIDBytes().string
    for index in 0..<5 { _ = try await simulator.accepted(sendID: index % 2 == 0 ? sendID : UUIDBytes().string) }
    func sequences(_ query: String) async throws -> [Int64?] {
      try await simulator.ledger(query).map { $0["seq"]?.intValue }
    }
    #expect(try await sequences("") == [1, 2, 3, 4, 5])
    #expect(try await sequences("?after=3") == [4, 5])
    #expect(try await sequences("?after=5") == [])
    #expect(try await sequences("?after=99999999999") == [])
    #expect(try await sequences("?send_id=\(sendID)") == [1, 3, 5])
    #expect(try await sequences("?send_id=\(sendID)&after=1") == [3, 5])
    #expect(try await sequences("?send_id=unknown") == [])
    #expect(try await simulator.call(.get, "/v1/ledger?after=-1").status == 400)
    #expect(try await simulator.call(.get, "/v1/ledger?after=x").status == 400)
    #expect(try await simulator.call(.get, "/v1/ledger?befor=1").status == 400)
  }

  @Test("a receipt goes to the message's own callback where it names one")
  func callback() async throws {
    let other = try ReceiptListener()
    try await simulator.behave(["delay_ms": [0, 0]])
    let id = try await simulator.accepted(callback: other.url)
    try await eventually("the receipt arrives") { other.taken.count == 1 }
    #expect(other.taken.first?["vendor_message_id"] == id)
    #expect(listener.all.isEmpty)
    await other.stop()
  }

  @Test("a receipt that is not taken is sent again until it is")
  func retriedReceipt() async throws {
    listener.answer(503)
    try await simulator.behave(["delay_ms": [0, 0]])
    let id = try await simulator.accepted()
    try await eventually("the receipt is tried more than once") { listener.all.count >= 2 }
    listener.answer(204)
    try await eventually("the receipt is taken") { listener.taken.count == 1 }
    #expect(listener.taken.first?["vendor_message_id"] == id)
    #expect(Set(listener.all.map { $0.body }).count == 1, "every attempt tells the same")
  }

  @Test(
    "what is not a message is refused with the field at fault, and leaves no trace",
    arguments: [
      ("", "body"), ("nonsense", "body"), ("[]", "body"), ("{\"send_id\":\"a\"", "body"),
      ("{}", "send_id"), (#"{"send_id":7,"to":"+14155550123","message":"x","channel":"sms"}"#, "send_id"),
      (#"{"send_id":"","to":"+14155550123","message":"x","channel":"sms"}"#, "send_id"),
      (#"{"send_id":"a","to":"12","message":"x","channel":"sms"}"#, "to"),
      (#"{"send_id":"a","to":"+14155550123","message":"x","channel":"email"}"#, "to"),
      (#"{"send_id":"a","to":"+14155550123","message":"","channel":"sms"}"#, "message"),
      (#"{"send_id":"a","to":"+14155550123","message":null,"channel":"sms"}"#, "message"),
      (#"{"send_id":"a","to":"+14155550123","message":"x","channel":"pigeon"}"#, "channel"),
      (#"{"send_id":"a","to":"+14155550123","message":"x","channel":"sms","colour":"red"}"#, "colour"),
      (#"{"send_id":"a","send_id":"b","to":"+14155550123","message":"x","channel":"sms"}"#, "body"),
      (#"{"send_id":"a","to":"+14155550123","message":"x","channel":"sms","callback_url":"ftp://x"}"#, "callback_url"),
    ])
  func garbage(_ body: String, _ field: String) async throws {
    let response = try await simulator.call(
      .post, "/v1/messages", Array(body.utf8), headers: ["Content-Type": "application/json"])
    #expect(response.status == 400)
    #expect(response.headers["Content-Type"] == "application/problem+json")
    let problem = try JSONValue.parse(response.body)
    #expect(problem["status"] == 400)
    #expect(problem["errors"]?.arrayValue?.contains { $0["field"]?.stringValue == field } == true)
    #expect(try await simulator.ledger().isEmpty)
  }

  @Test("an unknown path and a wrong method are told apart")
  func wrongRequests() async throws {
    #expect(try await simulator.call(.get, "/v1/nothing").status == 404)
    let wrongMethod = try await simulator.call(.delete, "/v1/behaviour")
    #expect(wrongMethod.status == 405)
    #expect(wrongMethod.headers["Allow"]?.contains("PUT") == true)
  }
}
