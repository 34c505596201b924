import Foundation
import HTTP
import JSON
import Kafka
import Testing

/// Asynchronous imports through the built processes, a real MongoDB and a broker.
@Suite(.serialized) struct IngestWorkerTests {
  /// Leads numbered from `first`; every tenth has an e-mail address that is none.
  private func leads(_ first: Int, _ count: Int) -> JSONValue {
    let rows = (first..<first + count).map { number -> JSONValue in
      let email = number % 10 == 0 ? "nobody" : "lead\(number)@example.com"
      return ["name": .string("Lead \(number)"), "emails": [.string(email)], "total_spend": .int(Int64(number))]
    }
    return ["leads": .array(rows)]
  }

  private func importLeads(_ stack: TestStack, _ first: Int, _ count: Int) async throws -> String {
    let answer = try await stack.succeed(.post, "/api/v1/leads/bulk?mode=async", leads(first, count))
    #expect(answer.status == 202)
    return try #require(answer.data["jobId"]?.stringValue)
  }

  private func completed(_ stack: TestStack, _ job: String) async throws -> JSONValue {
    try await until("job \(job) is completed", within: .seconds(60)) {
      try await stack.succeed(.get, "/api/v1/jobs/\(job)").data["state"] == "completed"
    }
    return try await stack.succeed(.get, "/api/v1/jobs/\(job)").data
  }

  @Test("a job counts every row once, names the bad ones, and a worker's death changes neither")
  func workerDiesMidImport() async throws {
    try await TestStack.with(.embedded, ["INGEST_BATCH": "50"]) { stack in
      let calm = try await completed(stack, try await importLeads(stack, 1, 200))
      #expect(calm["received"] == 200 && calm["processed"] == 200)
      #expect(calm["inserted"] == 180 && calm["rejected"] == 20)
      #expect(calm["errors"]?.arrayValue?.map { $0["row"]?.intValue } == (1...20).map { Int64(10 * $0) })
      #expect(calm["errors"]?[0]?["field"] == "emails[0]")

      let job = try await importLeads(stack, 1001, 8000)
      try await until("the import is under way", within: .seconds(30)) {
        (try await stack.succeed(.get, "/api/v1/jobs/\(job)").data["processed"]?.intValue ?? 0) > 0
      }
      let killed = try await stack.kill("ingest-worker")
      try await stack.restart(killed)
      let done = try await completed(stack, job)
      #expect(done["received"] == 8000 && done["processed"] == 8000)
      #expect(done["rejected"] == 800)
      // Rows of the batch that the kill interrupted may have been stored without being counted as inserted.
      let inserted = try #require(done["inserted"]?.intValue)
      #expect(inserted <= 7200 && inserted >= 7200 - 100)
      let list = try await stack.succeed(.get, "/api/v1/leads?limit=1")
      #expect(list.json["pagination"]?["total"] == 7380)
    }
  }

  @Test(
    "a record that is no row, and a row that no job waits for, go to the dead letters; the rows after them are stored")
  func junk() async throws {
    try await TestStack.with(.embedded) { stack in
      let producer = try KafkaProducer(
        KafkaProducerConfiguration(brokers: stack.settings["KAFKA_BROKERS"] ?? "", clientID: "test"))
      for value in ["not JSON", #"{"job_id":"0123456789abcdef01234567","row":1,"lead":{}}"#] {
        for partition in [Int32(0), 1, 2] {
          _ = try await producer.produce(
            KafkaRecord(topic: "ingest.leads", key: nil, value: Array(value.utf8), headers: [], partition: partition))
        }
      }
      await producer.close(timeoutMS: 5000)
      let done = try await completed(stack, try await importLeads(stack, 1, 100))
      #expect(done["inserted"] == 90)
      let log = stack.log(of: "ingest-worker")
      #expect(log.contains("unreadable_record") && log.contains("unknown_job"))
    }
  }
}
