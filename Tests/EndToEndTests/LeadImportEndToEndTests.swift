import BSON
import CRMStore
import Foundation
import HTTP
import JSON
import Mongo
import Testing

/// An import that its processes do not survive, through the built processes, a real MongoDB and a broker.
@Suite(.serialized) struct LeadImportEndToEndTests {
  private static let rows = 50_000
  private static let bad = rows / 100

  /// Every hundredth row is bad: half of these the gateway finds, half the worker.
  private static let file: [UInt8] = {
    var file = Array("name,emails,visits,metadata.age:number\r\n".utf8)
    for row in 1...rows {
      let email = row % 200 == 100 ? "nobody" : "lead\(row)@example.com"
      let age = row % 200 == 0 ? "old" : "\(row % 90)"
      file += "\"Lead, \(row)\",\(email),\(row % 7),\(age)\r\n".utf8
    }
    return file
  }()

  private func upload(
    _ stack: TestStack, to url: String, key: String = "file-1", _ file: [UInt8] = file
  ) async throws -> TestStack.Answer {
    try await stack.upload("/api/v1/leads/import", file, headers: ["Idempotency-Key": key], to: url)
  }

  /// Sends the file until nobody else holds its key.
  private func resume(_ stack: TestStack, to url: String) async throws -> TestStack.Answer {
    let deadline = ContinuousClock.now + .seconds(60)
    while true {
      let answer = try await upload(stack, to: url)
      guard answer.status == 409, ContinuousClock.now < deadline else { return answer }
      #expect(answer.json["type"] == "/problems/request-in-progress" && answer.headers["Retry-After"] != nil)
      try await Task.sleep(for: .seconds(1))
    }
  }

  private func received(_ mongo: MongoClient) async throws -> Int64 {
    try await mongo.withConnection { try $0.findOne(Collections.jobs, [:])?["received"]?.int64Value ?? 0 }
  }

  @Test func everyRowIsImportedOnceWhoeverDies() async throws {
    try await TestStack.with(.embedded, ["INGEST_BATCH": "300"]) { stack in
      let mongo = try MongoClient(
        MongoClient.Configuration(
          uri: stack.settings["MONGODB_URI"] ?? "", database: stack.settings["MONGODB_DB_NAME"] ?? "mini_crm"))
      // With a batch at the broker, and not written down as such.
      let first = try await stack.startReplica(of: "api-gateway", ["FAILPOINT": "import.published:skip=9"])
      await #expect(throws: (any Error).self) { try await upload(stack, to: first) }
      // With a batch written down, and none of it at the broker.
      let second = try await stack.startReplica(of: "api-gateway", ["FAILPOINT": "import.begin:skip=5"])
      await #expect(throws: (any Error).self) { try await resume(stack, to: second) }
      let before = try await received(mongo)
      #expect(before >= 10_000 && before < Int64(Self.rows))
      // And somewhere: killed from outside, together with the worker.
      let killing = Task {
        try await until("the upload goes on", within: .seconds(60)) { try await received(mongo) > before + 5000 }
        let gateway = try await stack.kill("api-gateway")
        let worker = try await stack.kill("ingest-worker")
        try await stack.restart(worker)
        try await stack.restart(gateway)
      }
      await #expect(throws: (any Error).self) { try await resume(stack, to: stack.baseURL) }
      try await killing.value

      let answer = try await resume(stack, to: stack.baseURL)
      #expect(answer.status == 202, "\(answer.text)")
      #expect(answer.data["received"]?.intValue == Int64(Self.rows))
      let id = try #require(answer.data["jobId"]?.stringValue)
      try await until("the job is completed", within: .seconds(120)) {
        try await stack.succeed(.get, "/api/v1/jobs/\(id)").data["state"] == "completed"
      }
      let job = try await stack.succeed(.get, "/api/v1/jobs/\(id)").data
      #expect(job["received"]?.intValue == Int64(Self.rows) && job["processed"]?.intValue == Int64(Self.rows))
      #expect(job["rejected"]?.intValue == Int64(Self.bad) && job["modified"] == 0)
      #expect(job["inserted"]?.intValue == Int64(Self.rows - Self.bad))
      let (leads, jobs) = try await mongo.withConnection {
        (try $0.count(Collections.leads, [:]), try $0.count(Collections.jobs, [:]))
      }
      #expect(leads == Self.rows - Self.bad && jobs == 1)

      let errors = try await stack.succeed(.get, "/api/v1/jobs/\(id)/errors")
      let lines = errors.text.split(separator: "\r\n")
      #expect(lines.count == Self.bad + 1 && lines[0] == "row,field,code,message")
      #expect(lines[1].hasPrefix("100,emails[0],invalid_email,") && lines[2].hasPrefix("200,metadata.age:number,"))

      let again = try await upload(stack, to: stack.baseURL)
      #expect(again.status == 202 && again.headers["Idempotency-Replayed"] == "true")
      let changed = try await upload(stack, to: stack.baseURL, Array(Self.file.dropLast(30)))
      #expect(changed.status == 422)
      await mongo.close()
    }
  }

  @Test func whatIsExportedIsTakenAgain() async throws {
    try await TestStack.with(.embedded) { stack in
      let made = try await upload(stack, to: stack.baseURL, key: "a", Array(Self.file.prefix(100_000)) + [0x0D, 0x0A])
      let id = try #require(made.data["jobId"]?.stringValue, "\(made.text)")
      try await until("the job is completed", within: .seconds(60)) {
        try await stack.succeed(.get, "/api/v1/jobs/\(id)").data["state"] == "completed"
      }
      let first = try await stack.succeed(.get, "/api/v1/leads/export")
      let again = try await upload(stack, to: stack.baseURL, key: "b", first.body)
      let second = try #require(again.data["jobId"]?.stringValue, "\(again.text)")
      try await until("the job is completed", within: .seconds(60)) {
        try await stack.succeed(.get, "/api/v1/jobs/\(second)").data["state"] == "completed"
      }
      let job = try await stack.succeed(.get, "/api/v1/jobs/\(second)").data
      #expect(job["inserted"] == 0 && job["modified"] == 0 && job["rejected"] == 0, "\(job.encodedString())")
      #expect(try await stack.succeed(.get, "/api/v1/leads/export").body == first.body)
    }
  }
}
