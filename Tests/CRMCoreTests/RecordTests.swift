import BSON
import CRMCore
import CivilTime
import Crypto
import JSON
import Testing

private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

@Suite struct RecordTests {
  static let job = SendJob(
    sendID: Fixture.sendID, campaignID: Fixture.campaignID, runID: Fixture.runID, leadID: Fixture.leadID,
    channel: .whatsapp, to: "+14155550123", message: "Hi \"John\",\n😀", attempt: 1)
  static let update = StatusUpdate(
    sendID: Fixture.sendID, campaignID: Fixture.campaignID, leadID: Fixture.leadID, status: .failed, attempt: 2,
    vendor: "sim", vendorMessageID: "m1", error: SendError(errorClass: "invalid_number", message: "no such number"),
    timestamp: Fixture.now)
  static let receipt = DeliveryReceipt(
    sendID: Fixture.sendID, vendor: "sim", vendorMessageID: "m1", status: .delivered, timestamp: Fixture.now,
    receivedAt: Fixture.now.advanced(by: .milliseconds(5)))

  /// Contract §2, to the letter.
  @Test func haveTheContractsShapes() {
    #expect(
      text(Self.job.encoded())
        == #"{"send_id":"5f0e2f5c-7d3a-5b1e-9c4d-2a1b3c4d5e6f","campaign_id":"65f0a1b2c3d4e5f6aaaaaaaa","#
        + #""run_id":"0b4c2d1e-1111-4222-8333-444455556666","lead_id":"65f0a1b2c3d4e5f601234567","#
        + #""channel":"whatsapp","to":"+14155550123","message":"Hi \"John\",\n😀","attempt":1}"#)
    #expect(
      text(Self.update.encoded())
        == #"{"send_id":"5f0e2f5c-7d3a-5b1e-9c4d-2a1b3c4d5e6f","campaign_id":"65f0a1b2c3d4e5f6aaaaaaaa","#
        + #""lead_id":"65f0a1b2c3d4e5f601234567","status":"FAILED","attempt":2,"vendor":"sim","vendor_message_id":"m1","#
        + #""error":{"class":"invalid_number","message":"no such number"},"timestamp":"2026-03-31T10:30:00.000Z"}"#)
    #expect(
      text(Self.receipt.encoded())
        == #"{"send_id":"5f0e2f5c-7d3a-5b1e-9c4d-2a1b3c4d5e6f","vendor":"sim","vendor_message_id":"m1","#
        + #""status":"DELIVERED","timestamp":"2026-03-31T10:30:00.000Z","received_at":"2026-03-31T10:30:00.005Z"}"#)
    #expect(
      text(CampaignJob.launch(campaignID: Fixture.campaignID, runID: Fixture.runID).encoded())
        == #"{"campaignId":"65f0a1b2c3d4e5f6aaaaaaaa","runId":"0b4c2d1e-1111-4222-8333-444455556666"}"#)
    #expect(
      text(
        CampaignJob.chunk(campaignID: Fixture.campaignID, runID: nil, leadIDs: [Fixture.leadID, Fixture.segmentID])
          .encoded())
        == #"{"campaignId":"65f0a1b2c3d4e5f6aaaaaaaa","leadIds":["65f0a1b2c3d4e5f601234567","65f0a1b2c3d4e5f6bbbbbbbb"]}"#
    )
  }

  @Test func comeBackAsTheyWere() throws {
    #expect(try SendJob.decode(Self.job.encoded()) == Self.job)
    var test = Self.job
    test.isTest = true
    #expect(try SendJob.decode(test.encoded()) == test)
    #expect(try StatusUpdate.decode(Self.update.encoded()) == Self.update)
    #expect(try DeliveryReceipt.decode(Self.receipt.encoded()) == Self.receipt)
    var bare = Self.update
    bare.status = .skipped
    bare.vendor = StatusUpdate.noVendor
    bare.vendorMessageID = nil
    bare.error = nil
    #expect(try StatusUpdate.decode(bare.encoded()) == bare)
    for job in [
      CampaignJob.launch(campaignID: Fixture.campaignID, runID: Fixture.runID),
      .chunk(campaignID: Fixture.campaignID, runID: Fixture.runID, leadIDs: [Fixture.leadID]),
      .chunk(campaignID: Fixture.campaignID, runID: nil, leadIDs: Array(repeating: Fixture.leadID, count: 1_000)),
    ] {
      #expect(try CampaignJob.decode(job.encoded()) == job)
    }
  }

  @Test func areEvidenceAboutTheirSend() {
    let event = Self.update.event(worker: "w1")
    #expect(event.status == .failed && event.at == Fixture.now && event.source == .outcome(worker: "w1"))
    #expect(event.vendor == "sim" && event.attempt == 2 && event.error == Self.update.error)
    var unsent = Self.update
    unsent.vendor = StatusUpdate.noVendor
    #expect(unsent.event().vendor == nil)
    #expect(Self.receipt.event.source == .receipt && Self.receipt.event.vendorMessageID == "m1")
  }

  /// Every field removed, and every field given another type, is refused under its name.
  @Test func refuseAMissingOrMistypedFieldByName() throws {
    let optional: Set<String> = ["vendor_message_id", "error"]
    func check(_ bytes: [UInt8], optional: Set<String>, _ decode: ([UInt8]) throws(RecordError) -> Void) throws {
      let whole = try #require(JSONValue.parse(bytes).objectValue)
      for key in whole.keys {
        var object = whole
        if !optional.contains(key) {
          object[key] = nil
          #expect(field(object, decode) == key)
        }
        for wrong in [JSONValue.null, true, 1.5, [], ["a": 1], ""] {
          object[key] = wrong
          #expect(field(object, decode) == key, "\(key) = \(wrong)")
        }
      }
      var extra = whole
      extra["surprise"] = 1
      #expect(field(extra, decode) == "surprise")
    }
    func field(_ object: JSONObject, _ decode: ([UInt8]) throws(RecordError) -> Void) -> String? {
      do throws(RecordError) {
        try decode(JSONValue.object(object).encoded())
        return "accepted"
      } catch {
        return error.field
      }
    }
    try check(Self.job.encoded(), optional: []) { bytes throws(RecordError) in _ = try SendJob.decode(bytes) }
    try check(Self.update.encoded(), optional: optional) { bytes throws(RecordError) in
      _ = try StatusUpdate.decode(bytes)
    }
    try check(Self.receipt.encoded(), optional: ["error"]) { bytes throws(RecordError) in
      _ = try DeliveryReceipt.decode(bytes)
    }
  }

  @Test func refuseStatesThatTheirTellerCannotKnow() {
    for status in SendStatus.allCases {
      var update = Self.update
      update.status = status
      #expect(((try? StatusUpdate.decode(update.encoded())) != nil) == StatusUpdate.statuses.contains(status))
      var receipt = Self.receipt
      receipt.status = status
      #expect(((try? DeliveryReceipt.decode(receipt.encoded())) != nil) == DeliveryReceipt.statuses.contains(status))
    }
  }

  @Test(arguments: [
    (#"{"campaignId":"test","leadIds":["test1"]}"#, "campaignId: is not an ObjectId: \"test\""),
    (#"{"campaignId":"65f0a1b2c3d4e5f6aaaaaaaa"}"#, "runId: is required: a launch names its run, a chunk its leadIds"),
    (#"{"campaignId":"65f0a1b2c3d4e5f6aaaaaaaa","runId":"x"}"#, "runId: is not a UUID: \"x\""),
    (
      #"{"campaignId":"65f0a1b2c3d4e5f6aaaaaaaa","leadIds":[]}"#,
      "leadIds: must have 1 to 1000 elements, not 0"
    ),
    (
      #"{"campaignId":"65f0a1b2c3d4e5f6aaaaaaaa","leadIds":["65f0a1b2c3d4e5f601234567","y"]}"#,
      "leadIds[1]: is not an ObjectId: \"y\""
    ),
    (#"{"campaignId":"65f0a1b2c3d4e5f6aaaaaaaa","leadIds":[1]}"#, "leadIds[0]: must be a string, not integer"),
    (#"{"a":1,"b":2}"#, "a: unknown fields: a, b"),
    ("[]", "must be a JSON object, not array"),
    ("hello", "malformed JSON: unexpected 'h' where a value should be at byte 0"),
    ("", "malformed JSON: unexpected end where a value should be at byte 0"),
  ])
  func aBadCampaignJobIsRefusedWithAClearError(json: String, message: String) {
    let error = #expect(throws: RecordError.self) { try CampaignJob.decode(Array(json.utf8)) }
    #expect(error?.description == message)
  }

  @Test(arguments: [5, 6] as [UInt64])
  func damagedRecordsAreRefusedOrReadAndNeverCrash(seed: UInt64) {
    var random = CoreRandom(state: seed)
    let chunk = CampaignJob.chunk(campaignID: Fixture.campaignID, runID: Fixture.runID, leadIDs: [Fixture.leadID])
    for whole in [Self.job.encoded(), Self.update.encoded(), Self.receipt.encoded(), chunk.encoded()] {
      for _ in 0..<500 {
        var bytes = whole
        for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
          let index = Int.random(in: 0..<bytes.count, using: &random)
          switch Int.random(in: 0..<3, using: &random) {
          case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
          case 1: bytes.remove(at: index)
          default: bytes.removeLast(bytes.count - index)
          }
        }
        if let job = try? SendJob.decode(bytes) { #expect((try? SendJob.decode(job.encoded())) == job) }
        if let update = try? StatusUpdate.decode(bytes) {
          #expect((try? StatusUpdate.decode(update.encoded())) == update)
        }
        if let receipt = try? DeliveryReceipt.decode(bytes) {
          #expect((try? DeliveryReceipt.decode(receipt.encoded())) == receipt)
        }
        if let job = try? CampaignJob.decode(bytes) { #expect((try? CampaignJob.decode(job.encoded())) == job) }
      }
    }
  }

  @Test func aWebhookReceiptIsReadWithAllItsErrors() throws {
    let json: JSONValue = [
      "send_id": .string(Fixture.sendID.string), "vendor": "sim", "vendor_message_id": "m1", "status": "DELIVERED",
      "timestamp": "2026-03-31T10:30:00Z",
    ]
    let receipt = try DeliveryReceipt.decode(webhook: json, receivedAt: Self.receipt.receivedAt).get()
    #expect(receipt == Self.receipt)
    #expect(
      DeliveryReceipt.decode(
        webhook: ["send_id": "x", "status": "QUEUED", "error": ["class": 1], "received_at": "x"], path: "[2]",
        receivedAt: Fixture.now
      ).problems == [
        "[2].error.class invalid_type", "[2].error.message required", "[2].received_at unknown_field",
        "[2].send_id invalid_id", "[2].status invalid_choice", "[2].timestamp required", "[2].vendor required",
        "[2].vendor_message_id required",
      ])
  }
}
