import CRMMessaging
import Foundation
import HTTP
import JSON
import Kafka
import Synchronization
import Testing

/// A running stack that asks everybody who they are, with who may call it and with things for calls to be about.
final class ContractStage: Sendable {
  enum Role: String, CaseIterable, Sendable { case admin, marketer, analyst, viewer }

  struct Key: Sendable {
    let id: String
    let secret: String
  }

  struct Lead: Sendable {
    let id: String
    let email: String
  }

  static let unknownID = "0123456789abcdef01234567"
  static let webhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
  private static let bootstrapKey = "a bootstrap key of the tests, 32 characters"
  private static let settings = [
    "AUTH_MODE": "required", "HOST": "127.0.0.1", "JWT_SECRET": "a secret of the tests with at least 32 bytes",
    "BOOTSTRAP_ADMIN_KEY": bootstrapKey, "RECEIPT_WEBHOOK_SECRET": webhookSecret, "AUTH_CACHE_S": "1",
    // A campaign of many leads lasts, and a schedule that was missed by two seconds waits to be confirmed.
    "RATE_LIMIT_PER_MINUTE": "120", "SCHEDULE_GRACE_S": "1",
  ]
  /// Leads of a campaign that lasts: more than go out in the time of the tests.
  private static let crowd = 600

  let stack: TestStack
  let admin: Key
  /// What has been made once and is shared, by name.
  private let shared = Mutex<[String: Task<[String], any Error>]>([:])
  private let letters = Mutex<[String]>([])

  private init(_ stack: TestStack, admin: Key) {
    self.stack = stack
    self.admin = admin
  }

  static func start() async throws -> ContractStage {
    let stack = try await TestStack.start(.embedded, settings)
    let made = try await stack.succeed(
      .post, "/api/v1/api-keys", ["name": "The admin", "role": "admin"],
      headers: ["Authorization": "Bearer \(bootstrapKey)"])
    return ContractStage(
      stack, admin: Key(id: made.id, secret: made.data["key"]?.stringValue ?? ""))
  }

  func unique(_ prefix: String) -> String { "\(prefix)-\(UUID().uuidString.prefix(13).lowercased())" }

  /// A request of the admin's that must succeed.
  @discardableResult
  func succeed(
    _ method: HTTPMethod, _ path: String, _ body: JSONValue? = nil, headers: HTTPHeaders = [:]
  ) async throws -> TestStack.Answer {
    var headers = headers
    if headers["webhook-id"] == nil { headers["Authorization"] = "Bearer \(admin.secret)" }
    return try await stack.succeed(method, path, body, headers: headers)
  }

  /// What is made on the first demand and shared afterwards.
  private func once(_ name: String, _ make: @escaping @Sendable () async throws -> [String]) async throws -> [String] {
    let task = shared.withLock { shared in
      if let known = shared[name] { return known }
      let task = Task { try await make() }
      shared[name] = task
      return task
    }
    return try await task.value
  }

  // MARK: Callers

  func newKey(_ role: Role, scopes: [String]? = nil) async throws -> Key {
    var body: JSONObject = ["name": "A \(role)", "role": .string(role.rawValue)]
    if let scopes { body["scopes"] = .array(scopes.map { .string($0) }) }
    let made = try await succeed(.post, "/api/v1/api-keys", .object(body))
    return Key(id: made.id, secret: try #require(made.data["key"]?.stringValue))
  }

  func key(of role: Role) async throws -> Key {
    let made = try await once("role \(role)") { [self] in
      let key = try await newKey(role)
      return [key.id, key.secret]
    }
    return Key(id: made[0], secret: made[1])
  }

  /// An admin's key that is narrowed to one scope.
  func key(onlyFor scope: String) async throws -> String {
    try await once("only \(scope)") { [self] in [try await newKey(.admin, scopes: [scope]).secret] }[0]
  }

  /// An admin's key that is good for everything but one scope.
  func key(butFor scope: String) async throws -> String {
    try await once("but \(scope)") { [self] in
      let others = AccessTable.scopes.filter { $0 != scope }
      return [try await newKey(.admin, scopes: others).secret]
    }[0]
  }

  func token() async throws -> String {
    try #require(try await succeed(.post, "/api/auth/token").data["access_token"]?.stringValue)
  }

  func signature(of body: JSONValue?, secret: String = webhookSecret) throws -> HTTPHeaders {
    let id = unique("msg")
    let seconds = Int64(Date().timeIntervalSince1970)
    let signature = try StandardWebhook(secrets: [secret]).sign(
      id: id, timestamp: seconds, body: body?.encoded() ?? [])
    return ["webhook-id": id, "webhook-timestamp": String(seconds), "webhook-signature": signature]
  }

  // MARK: Leads, orders, segments

  func leadInput(email: String? = nil) -> JSONValue {
    ["name": "Ann", "emails": [.string(email ?? unique("ann") + "@example.com")]]
  }

  /// A file of one lead, of whom nobody has heard.
  func leadFile() -> String { "name,emails\r\nAnn,\(unique("ann"))@example.com\r\n" }

  func importFile(_ file: String, key: String) async throws {
    let headers: HTTPHeaders = ["Authorization": "Bearer \(admin.secret)", "Idempotency-Key": key]
    let answer = try await stack.upload("/api/v1/leads/import", Array(file.utf8), headers: headers)
    #expect(answer.status == 202, "\(answer.text)")
  }

  func newLead() async throws -> Lead {
    let email = unique("lead") + "@example.com"
    return Lead(id: try await succeed(.post, "/api/v1/leads", leadInput(email: email)).id, email: email)
  }

  /// One that nobody changes.
  func lead() async throws -> Lead {
    let made = try await once("lead") { [self] in
      let lead = try await newLead()
      return [lead.id, lead.email]
    }
    return Lead(id: made[0], email: made[1])
  }

  func orderInput(email: String, number: String? = nil) -> JSONValue {
    [
      "order_no": .string(number ?? unique("order")), "email": .string(email), "total": 10, "currency": "USD",
      "ordered_at": "2026-01-02T03:04:05Z",
    ]
  }

  func job() async throws -> String {
    let made = try await succeed(.post, "/api/v1/leads/bulk", ["leads": [leadInput()]])
    return try #require(made.data["jobId"]?.stringValue)
  }

  static func rule(tag: String) -> JSONValue {
    ["type": "condition", "field": "tags", "operator": "HAS_ANY", "value": [.string(tag)]]
  }

  var rule: JSONValue { Self.rule(tag: "nobody has this") }

  func segmentInput(tag: String = "nobody has this") -> JSONValue {
    ["name": .string(unique("Segment")), "rule_ast": Self.rule(tag: tag)]
  }

  func newSegment(tag: String = "nobody has this") async throws -> String {
    try await succeed(.post, "/api/v1/segments", segmentInput(tag: tag)).id
  }

  // MARK: Campaigns

  func campaignInput(segment: String, channel: String = "sms", scheduleAt: String? = nil) -> JSONValue {
    var input: JSONObject = [
      "name": .string(unique("Spring")), "segment_id": .string(segment), "message_template": "Hi {{ name }}",
      "channel": .string(channel),
    ]
    if let scheduleAt { input["schedule_at"] = .string(scheduleAt) }
    return .object(input)
  }

  /// A DRAFT, of a segment that nobody is in unless another is given.
  func newCampaign(segment: String? = nil, channel: String = "sms", scheduleAt: String? = nil) async throws -> String {
    let used = if let segment { segment } else { try await newSegment() }
    let body = campaignInput(segment: used, channel: channel, scheduleAt: scheduleAt)
    return try await succeed(.post, "/api/v1/campaigns", body).id
  }

  func scheduledCampaign() async throws -> String { try await newCampaign(scheduleAt: "2999-01-01T00:00:00Z") }

  /// One that has sent a message to one lead, and ended.
  func finishedCampaign() async throws -> (id: String, lead: String) {
    let made = try await once("finished campaign") { [self] in
      let tag = unique("tag")
      let lead = try await succeed(
        .post, "/api/v1/leads",
        [
          "name": "Ann", "emails": [.string("\(tag)@example.com")], "phones": ["+14155550123"], "tags": [.string(tag)],
        ]
      ).id
      let id = try await newCampaign(segment: try await newSegment(tag: tag))
      try await succeed(.post, "/api/v1/campaigns/\(id)/run")
      try await until("the campaign is completed") { [self] in try await status(of: id) == "COMPLETED" }
      return [id, lead]
    }
    return (made[0], made[1])
  }

  /// One that has more messages to send than the limit lets out for minutes.
  func runningCampaign() async throws -> String {
    let segment = try await once("crowd") { [self] in
      let tag = unique("tag")
      let rows = (0..<Self.crowd).map { number -> JSONValue in
        ["name": "Ann", "emails": [.string("\(tag)\(number)@example.com")], "tags": [.string(tag)]]
      }
      try await succeed(.post, "/api/v1/leads/bulk", ["leads": .array(rows)])
      return [try await newSegment(tag: tag)]
    }[0]
    let id = try await newCampaign(segment: segment, channel: "email")
    try await succeed(.post, "/api/v1/campaigns/\(id)/run")
    return id
  }

  /// One whose time passed while no expander was there.
  func lateCampaign() async throws -> String {
    let expander = try stack.processID("job-expander")
    kill(expander, SIGSTOP)
    defer { kill(expander, SIGCONT) }
    // A time to come even where requests take seconds; it is told in whole ones.
    let due = Date().addingTimeInterval(4)
    let id = try await newCampaign(scheduleAt: due.ISO8601Format())
    // Its grace is a second.
    try await until("the schedule is late") { Date().timeIntervalSince(due) > 2.5 }
    kill(expander, SIGCONT)
    try await until("the campaign waits to be confirmed") { [self] in
      try await succeed(.get, "/api/v1/campaigns/\(id)").data["confirmation_required"] == true
    }
    return id
  }

  /// A draft whose time has passed before it was scheduled.
  func overdueDraft() async throws -> String {
    let id = try await newCampaign()
    let due = Date().addingTimeInterval(5)
    try await succeed(.put, "/api/v1/campaigns/\(id)", ["schedule_at": .string(due.ISO8601Format())])
    try await until("the time has passed") { Date() > due }
    return id
  }

  private func status(of campaign: String) async throws -> String? {
    try await succeed(.get, "/api/v1/campaigns/\(campaign)").data["status"]?.stringValue
  }

  func lastEventID(of events: TestStack.Answer) throws -> String {
    let line = try #require(events.text.split(separator: "\n").last { $0.hasPrefix("id: ") })
    return String(line.dropFirst("id: ".count))
  }

  // MARK: Dead letters

  /// A new one, of its own.
  func deadLetter() async throws -> String {
    if let letter = letters.withLock({ $0.popLast() }) { return letter }
    let known = Set(try await newLetters())
    let producer = try KafkaProducer(
      KafkaProducerConfiguration(brokers: stack.settings["KAFKA_BROKERS"] ?? "", clientID: "tests"))
    for number in 0..<10 {
      try await producer.produce(KafkaRecord(topic: "ingest.leads", key: nil, value: Array("junk \(number)".utf8)))
    }
    await producer.close(timeoutMS: 5000)
    try await until("ten dead letters are filed") { [self] in
      try await newLetters().filter { !known.contains($0) }.count >= 10
    }
    let fresh = try await newLetters().filter { !known.contains($0) }
    letters.withLock { $0 += fresh }
    return try #require(letters.withLock { $0.popLast() })
  }

  private func newLetters() async throws -> [String] {
    let found = try await succeed(.get, "/api/v1/dlq?state=new&limit=100")
    return (found.data.arrayValue ?? []).compactMap { $0["_id"]?.stringValue }
  }
}

extension TestStack.Answer {
  /// The id of what was made.
  var id: String { data["_id"]?.stringValue ?? "" }
}
