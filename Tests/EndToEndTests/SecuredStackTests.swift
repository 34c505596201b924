import Foundation
import HTTP
import JSON
import Testing

/// The main job with authentication required, from the bootstrap key to the last receipt, over two gateways.
@Suite(.serialized) struct SecuredStackTests {
  private static let bootstrapKey = "a bootstrap key of the tests, 32 characters"

  private func bearer(_ credential: String) -> HTTPHeaders { ["Authorization": "Bearer \(credential)"] }

  private func makeKey(_ stack: TestStack, _ role: String, by maker: String) async throws -> (key: String, id: String) {
    let made = try await stack.succeed(
      .post, "/api/v1/api-keys", ["name": .string("The \(role)"), "role": .string(role)], headers: bearer(maker))
    return (try #require(made.data["key"]?.stringValue), try #require(made.data["_id"]?.stringValue))
  }

  @Test func aCampaignIsRunByThoseWhoMayAndByNobodyElse() async throws {
    let settings = [
      "AUTH_MODE": "required", "HOST": "127.0.0.1", "JWT_SECRET": "a secret of the tests with at least 32 bytes",
      "BOOTSTRAP_ADMIN_KEY": Self.bootstrapKey, "AUTH_CACHE_S": "1", "GATEWAYS": "2",
    ]
    try await TestStack.with(.embedded, settings) { stack in
      #expect(try await stack.request(.get, "/api/v1/leads").status == 401)
      // A stranger is turned away before a large body has come.
      let stranger = try RawConnection(to: stack.baseURL)
      try await stranger.send(
        "POST /api/v1/leads/bulk HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
          + "Content-Length: 9000000\r\n\r\n{")
      #expect(try await stranger.answer(within: .seconds(5)).status == 401)
      let admin = try await makeKey(stack, "admin", by: Self.bootstrapKey)
      let refused = try await stack.request(.get, "/api/v1/api-keys", headers: bearer(Self.bootstrapKey))
      #expect(refused.status == 401, "the bootstrap key has done its work")
      let marketer = try await makeKey(stack, "marketer", by: admin.key)
      let viewer = try await makeKey(stack, "viewer", by: admin.key)
      let token = try #require(
        try await stack.succeed(.post, "/api/auth/token", headers: bearer(marketer.key)).data["access_token"]?
          .stringValue)

      let rows = (0..<60).map { number -> JSONValue in
        [
          "name": "Ann", "emails": [.string("a\(number)@example.com")],
          "phones": [.string("+1415555\(1000 + number)")], "tags": ["all"],
        ]
      }
      try await stack.succeed(.post, "/api/v1/leads/bulk", ["leads": .array(rows)], headers: bearer(token))
      let rule: JSONValue = ["type": "condition", "field": "tags", "operator": "HAS_ANY", "value": ["all"]]
      let segment = try await stack.succeed(
        .post, "/api/v1/segments", ["name": "All", "rule_ast": rule], headers: bearer(token))
      let body: JSONValue = [
        "name": "Hello", "segment_id": segment.data["_id"] ?? .null, "message_template": "Hi {{ name }}",
        "channel": "sms", "send": true,
      ]
      #expect(try await stack.request(.post, "/api/v1/campaigns", body, headers: bearer(viewer.key)).status == 403)
      let campaign = try await stack.succeed(.post, "/api/v1/campaigns", body, headers: bearer(token))
      #expect(campaign.data["created_by"]?.stringValue == "The marketer")
      let id = try #require(campaign.data["_id"]?.stringValue)
      // The vendor's receipts come in without a key, signed.
      try await until("every message is accounted for", within: .seconds(90)) {
        let stats = try await stack.succeed(.get, "/api/v1/campaigns/\(id)/stats", headers: bearer(viewer.key)).data
        let settled = (stats["delivered"]?.intValue ?? 0) + (stats["failed"]?.intValue ?? 0)
        return stats["status"]?.stringValue == "COMPLETED" && settled == 60
      }

      let second = try #require(stack.settings["OPS_URLS"]?.split(separator: " ").map(String.init)[2])
      #expect(try await stack.request(.get, "\(second)/api/auth/me", headers: bearer(token)).status == 200)
      try await stack.succeed(.delete, "/api/v1/api-keys/\(marketer.id)", headers: bearer(admin.key))
      try await until("the other gateway refuses the key and its token", within: .seconds(10)) {
        let key = try await stack.request(.get, "\(second)/api/auth/me", headers: bearer(marketer.key)).status
        let token = try await stack.request(.get, "\(second)/api/auth/me", headers: bearer(token)).status
        return key == 401 && token == 401
      }
      let audit = try await stack.succeed(
        .get, "/api/v1/audit?actor=key:\(marketer.id)&limit=100", headers: bearer(admin.key))
      let actions = Set((audit.data.arrayValue ?? []).compactMap { $0["action"]?.stringValue })
      #expect(actions == ["createToken", "bulkUpsertLeads", "createSegment", "createCampaign"])
    }
  }

  @Test(arguments: [
    (["AUTH_MODE": "off"], "AUTH_MODE"), (["AUTH_MODE": "off", "HOST": "0.0.0.0"], "AUTH_MODE"), ([:], "JWT_SECRET"),
    (["JWT_SECRET": "short"], "JWT_SECRET"),
  ])
  func aGatewayThatEverybodyCouldUseDoesNotStart(settings: [String: String], named: String) throws {
    let process = Process()
    process.executableURL = TestStack.executable("api-gateway")
    process.environment = ["PORT": "0", "RECEIPT_WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
      .merging(settings) { $1 }
    let errors = Pipe()
    process.standardError = errors
    try process.run()
    let complaint = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 78)
    #expect(complaint.contains("\(named): ") && !complaint.contains("short,"), "\(complaint)")
  }
}
