import CRMMessaging
import Foundation
import HTTP
import JSON
import Testing

/// Without MongoDB, whoever reads is told so at once, and receipts are still taken: they need only the broker.
@Suite(.serialized) struct DatabaseOutageTests {
  private static let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
  private static let bootstrapKey = "a bootstrap key of the tests, 32 characters"
  private static let settings = [
    "AUTH_MODE": "required", "HOST": "127.0.0.1", "JWT_SECRET": "a secret of the tests with at least 32 bytes",
    "BOOTSTRAP_ADMIN_KEY": bootstrapKey, "RECEIPT_WEBHOOK_SECRET": secret,
  ]
  /// What is promised; a busy machine gets twice that.
  private static let promised = Duration.seconds(2)
  private static let allowance = Duration.seconds(2)

  private struct Question: Sendable {
    var method = HTTPMethod.get
    let path: String
    var body: JSONValue?
    var needsDatabase = true
  }

  /// What needs the database for the caller's credential at most.
  private static let others = [
    Question(path: "/api/v1/status", needsDatabase: false),
    Question(path: "/api/v1/delivery/status", needsDatabase: false),
    Question(path: "/api/auth/me", needsDatabase: false),
    Question(path: "/api/v1/openapi.json", needsDatabase: false),
    Question(
      method: .post, path: "/api/v1/segments/convert",
      body: [
        "query": ["combinator": "and", "rules": [["field": "total_spend", "operator": ">", "value": "100"]]]
      ], needsDatabase: false),
  ]

  /// A server that is gone refuses connections; one that is frozen accepts requests and never answers.
  @Test(arguments: [SIGKILL, SIGSTOP])
  func readsAreAnsweredAtOnceAndReceiptsAreTaken(signal: Int32) async throws {
    try await TestStack.with(.embedded, Self.settings) { stack in
      let made = try await stack.succeed(
        .post, "/api/v1/api-keys", ["name": "The admin", "role": "admin"],
        headers: ["Authorization": "Bearer \(Self.bootstrapKey)"])
      let key = try #require(made.data["key"]?.stringValue)
      let headers: HTTPHeaders = ["Authorization": "Bearer \(key)"]
      let reads = Self.reads(stack)
      try #require(reads.count > 15, "\(reads)")
      let questions = reads.map { Question(path: $0) } + Self.others

      let mongod = try stack.processID("mongod")
      kill(mongod, signal)
      // Thawed in any case, or it could not be stopped in order.
      defer { kill(mongod, SIGCONT) }
      let first = try await Self.slowest(of: questions, stack, headers)
      let second = try await Self.slowest(of: questions, stack, headers)
      print(
        "without MongoDB (signal \(signal)), \(questions.count) reads: slowest \(first) at first, \(second) afterwards")
      #expect(first < Self.promised + Self.allowance)
      #expect(second < Self.promised)

      let receipt: JSONValue = [
        "send_id": "11111111-2222-5333-8444-555555555555", "vendor": "vendor-sim", "vendor_message_id": "m",
        "status": "DELIVERED", "timestamp": "2026-01-02T03:04:05Z",
      ]
      let seconds = Int64(Date().timeIntervalSince1970)
      let signature = try StandardWebhook(secrets: [Self.secret]).sign(
        id: "msg", timestamp: seconds, body: receipt.encoded())
      let taken = try await stack.request(
        .post, "/api/v1/delivery/receipt", receipt,
        headers: ["webhook-id": "msg", "webhook-timestamp": String(seconds), "webhook-signature": signature])
      #expect(taken.status == 202, "\(taken.text)")

      if signal == SIGSTOP {
        kill(mongod, SIGCONT)
        try await until("reads are answered again", within: .seconds(30)) {
          try await stack.request(.get, "/api/v1/leads", headers: headers).status == 200
        }
      }
    }
  }

  /// Every read of the description that needs the database, with ids in the place of parameters.
  private static func reads(_ stack: TestStack) -> [String] {
    let paths = stack.api.document["paths"]?.objectValue?.entries ?? []
    return paths.compactMap { path, item in
      guard let read = item["get"], read["responses"]?["503"] != nil, path.hasPrefix("/api/") else { return nil }
      guard !others.contains(where: { $0.path == path }) else { return nil }
      var target = path
      for parameter in read["parameters"]?.arrayValue ?? [] {
        guard parameter["in"]?.stringValue == "path", let name = parameter["name"]?.stringValue else { continue }
        let isUUID = parameter["schema"]?["format"]?.stringValue == "uuid"
        target = target.replacing(
          "{\(name)}", with: isUUID ? "11111111-2222-4333-8444-555555555555" : "0123456789abcdef01234567")
      }
      return target.contains("{") ? nil : target
    }
  }

  /// Puts all questions at once; each that needs the database must be answered 503 with `Retry-After`.
  private static func slowest(
    of questions: [Question], _ stack: TestStack, _ headers: HTTPHeaders
  ) async throws -> Duration {
    try await withThrowingTaskGroup(of: Duration.self) { group in
      for question in questions {
        group.addTask {
          let began = ContinuousClock.now
          let answer = try await stack.request(question.method, question.path, question.body, headers: headers)
          let isRefused = answer.status == 503 && answer.headers["Retry-After"] != nil
          #expect(
            isRefused || (answer.status == 200 && !question.needsDatabase), "\(question.path): \(answer.status)")
          return began.duration(to: .now)
        }
      }
      return try await group.reduce(.zero) { max($0, $1) }
    }
  }
}
