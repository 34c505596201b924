import CRMCore
import CRMMessaging
import CRMStore
import Foundation
import HTTP
import JSON
import Testing

@testable import APIGateway

/// Receipts that are forged, stale or recorded, and those that are not.
@Suite(.serialized) struct WebhookTests {
  @Test func aWebhookIsJudgedByItsSignatureAlone() async throws {
    try await GatewayHarness.with { harness in
      #expect(try await harness.receipt().status == 202, "no credential needed")
      #expect(try await harness.receipt(id: "msg_0", as: "nonsense").status == 202, "and none looked at")
      let admin = try await harness.key(.admin)
      let other = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
      let refused = [
        try await harness.receipt(secret: other, as: admin), try await harness.receipt(age: 301),
        try await harness.receipt(age: -301), try await harness.receipt(change: { $0["webhook-id"] = "msg_2" }),
        try await harness.receipt(change: { $0["webhook-timestamp"] = "9999999999999999999" }),
        try await harness.receipt(change: { $0["webhook-signature"] = nil }),
        try await harness.receipt(change: { $0["webhook-signature"] = "v1," }),
        try await harness.receipt(change: { $0["webhook-signature"] = "v0,AAAA v2,AAAA" }),
        try await harness.request(.post, "/api/v1/delivery/receipt", [:], as: admin),
      ]
      for answer in refused { #expect(answer.status == 401 && answer.problem == "invalid-signature", "\(answer.text)") }
    }
  }

  /// Whoever records a request has the signature of that very moment, and cannot make another.
  @Test func aRecordedWebhookIsRefusedAndAVendorsRetryIsNot() async throws {
    try await GatewayHarness.with { harness in
      let now = Int64(Date().timeIntervalSince1970)
      #expect(try await harness.receipt(at: now).status == 202)
      for _ in 0..<3 {
        let replayed = try await harness.receipt(at: now)
        #expect(replayed.status == 409 && replayed.problem == "replayed-webhook", "\(replayed.text)")
      }
      #expect(try await harness.receipt(at: now - 1).status == 202, "signed anew under the same id")
      #expect(try await harness.receipt(id: "msg_2", at: now).status == 202)
      // Refused for what it is, not for what it looks like: a forgery is not remembered, nor is one that was malformed.
      #expect(try await harness.receipt(secret: "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", at: now).status == 401)
    }
  }

  @Test func whatTheBrokerDidNotAcknowledgeMayComeAgainAsItWas() async throws {
    try await GatewayHarness.with { harness in
      let now = Int64(Date().timeIntervalSince1970)
      await harness.gateway.producer.close(timeoutMS: 1000)
      for _ in 0..<2 {
        let answer = try await harness.receipt(at: now)
        #expect(answer.status >= 500, "\(answer.text)")
      }
      // The same request at a gateway that works: nothing about it is spent.
      let replica = try await GatewayHarness(database: harness.database)
      #expect(try await replica.receipt(at: now).status == 202)
      await replica.close()
    }
  }

  @Test func webhooksCanBeLimitedToo() async throws {
    try await GatewayHarness.with(["WEBHOOK_RATE_PER_ADDRESS": "2"]) { harness in
      var statuses: [Int] = []
      for number in 0..<3 { statuses.append(try await harness.receipt(id: "msg_\(number)").status) }
      #expect(statuses == [202, 202, 429])
      #expect(try await harness.request(.get, "/api/auth/me", as: try await harness.key(.viewer)).status == 200)
    }
  }
}

extension GatewayHarness {
  /// Sends a signed receipt.
  func receipt(
    secret: String = GatewayHarness.webhookSecret, id: String = "msg_1", age: Int64 = 0,
    at time: Int64? = nil, change: (inout HTTPHeaders) -> Void = { _ in }, as credential: String? = nil
  ) async throws -> GatewayHarness.Answer {
    let body: JSONValue = [
      "send_id": "11111111-2222-5333-8444-555555555555", "vendor": "v", "vendor_message_id": "m",
      "status": "DELIVERED", "timestamp": "2026-01-02T03:04:05Z",
    ]
    let seconds = (time ?? Int64(Date().timeIntervalSince1970)) - age
    let signature = try StandardWebhook(secrets: [secret]).sign(id: id, timestamp: seconds, body: body.encoded())
    var headers: HTTPHeaders = [
      "webhook-id": id, "webhook-timestamp": String(seconds), "webhook-signature": signature,
    ]
    change(&headers)
    return try await request(.post, "/api/v1/delivery/receipt", body, as: credential, headers: headers)
  }
}
