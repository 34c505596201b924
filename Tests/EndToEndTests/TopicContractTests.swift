import Foundation
import JSON
import Kafka
import Testing

/// What `kcat` and operators see on the topics.
@Suite(.serialized) struct TopicContractTests {
  /// Reads a topic from its beginning until a record fits.
  private func first(
    _ topic: String, of stack: TestStack, where fits: @Sendable (ConsumedRecord) -> Bool = { _ in true }
  ) async throws -> ConsumedRecord {
    let consumer = try KafkaConsumer(
      KafkaConsumerConfiguration(
        brokers: stack.settings["KAFKA_BROKERS"] ?? "", groupID: "tests-\(UInt32.random(in: 0...UInt32.max))",
        clientID: "tests", topics: [topic]))
    try consumer.start()
    let deadline = ContinuousClock.now + .seconds(40)
    var found: ConsumedRecord?
    while found == nil, ContinuousClock.now < deadline {
      let batch = await consumer.nextBatch(max: 500, wait: .seconds(1)) ?? []
      consumer.complete(records: batch)
      found = batch.first(where: fits)
    }
    await consumer.close(drain: .zero)
    guard let found else { throw TestStack.Failure(description: "no such record on \(topic)") }
    return found
  }

  private func text(_ bytes: [UInt8]?) -> String { String(decoding: bytes ?? [], as: UTF8.self) }

  @Test(arguments: TestStack.Broker.available)
  func recordsAreWhatTheContractSays(broker: TestStack.Broker) async throws {
    try await TestStack.with(broker) { stack in
      let scenario = try await CampaignScenario.prepare(stack, leads: 40)
      let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
      let run = try await scenario.run(headers: ["traceparent": "00-\(trace)-00f067aa0ba902b7-01"])
      _ = try await scenario.untilSettled()

      let job = try await first("campaign.send_jobs", of: stack)
      let value = try JSONValue.parse(job.value ?? [])
      #expect(
        Set(value.objectValue?.keys ?? []) == [
          "send_id", "campaign_id", "run_id", "lead_id", "channel", "to", "message", "attempt",
        ])
      #expect(value["campaign_id"]?.stringValue == scenario.campaignID)
      #expect(value["run_id"] == run["runId"])
      #expect(value["attempt"]?.intValue == 1)
      #expect(text(job.key) == value["lead_id"]?.stringValue)
      #expect(value["message"]?.stringValue?.hasPrefix("Hi Lead of City ") == true)
      #expect(text(job.header("content-type")) == "application/json")
      #expect(text(job.header("schema")) == "send-job/1")
      #expect(text(job.header("traceparent")).contains(trace), "the trace of the request goes on to the sends")

      let update = try JSONValue.parse(try await first("campaign.status_updates", of: stack).value ?? [])
      #expect(update["status"]?.stringValue == "SENT")
      #expect(update["vendor_message_id"]?.stringValue?.isEmpty == false)
      let receipt = try JSONValue.parse(try await first("delivery.receipts", of: stack).value ?? [])
      #expect(["DELIVERED", "FAILED"].contains(receipt["status"]?.stringValue ?? ""))
      #expect(receipt["received_at"]?.stringValue?.hasSuffix("Z") == true)
    }
  }

  @Test(arguments: TestStack.Broker.available)
  func junkLandsOnTheDeadLettersAndTheConsumersGoOn(broker: TestStack.Broker) async throws {
    try await TestStack.with(broker) { stack in
      let producer = try KafkaProducer(
        KafkaProducerConfiguration(brokers: stack.settings["KAFKA_BROKERS"] ?? "", clientID: "tests"))
      let junk = #"{"campaignId":"test","leadIds":["test1"]}"#
      for (topic, value) in [
        ("campaign.jobs", junk), ("campaign.send_jobs", "not JSON"), ("campaign.status_updates", "[]"),
        ("delivery.receipts", #"{"send_id":7}"#), ("ingest.leads", "{}"), ("ingest.orders", "\u{0}"),
      ] {
        try await producer.produce(KafkaRecord(topic: topic, key: nil, value: Array(value.utf8)))
      }
      try await producer.produce(KafkaRecord(topic: "campaign.jobs", key: nil, value: nil))
      await producer.close()

      let letter = try await first("campaign.dlq", of: stack) { $0.value == Array(junk.utf8) }
      #expect(text(letter.header("dlq-origin-topic")) == "campaign.jobs")
      #expect(text(letter.header("dlq-group")).hasSuffix("job-expander"))
      #expect(text(letter.header("dlq-attempts")) == "1")
      #expect(text(letter.header("dlq-error-class")) == "unreadable_record")
      #expect(text(letter.header("dlq-error")).contains("campaignId"), "the error names the field")
      for name in ["dlq-origin-partition", "dlq-origin-offset", "dlq-first-failure", "dlq-last-failure"] {
        #expect(!text(letter.header(name)).isEmpty, "\(name)")
      }
      for topic in [
        "campaign.send_jobs", "campaign.status_updates", "delivery.receipts", "ingest.leads", "ingest.orders",
      ] {
        let origin = Array(topic.utf8)
        _ = try await first("campaign.dlq", of: stack) { $0.header("dlq-origin-topic") == origin }
      }
      // The partitions go on: a campaign still completes.
      let scenario = try await CampaignScenario.prepare(stack, leads: 20)
      try await scenario.run()
      let (stats, _) = try await scenario.untilSettled()
      #expect(stats["audience"] == 10)
    }
  }

  @Test func handMadeChunksAreExpandedAppendedOrRefused() async throws {
    try await TestStack.with { stack in
      let scenario = try await CampaignScenario.prepare(stack, leads: 20)
      let leads = try await stack.succeed(.get, "/api/v1/leads?limit=100&max_spend=10").data.arrayValue ?? []
      let ids = leads.compactMap { $0["_id"]?.stringValue }
      #expect(ids.count == 10)
      let producer = try KafkaProducer(
        KafkaProducerConfiguration(brokers: stack.settings["KAFKA_BROKERS"] ?? "", clientID: "tests"))
      func produce(_ leadIDs: [String], run: String? = nil) async throws {
        var chunk: JSONObject = [
          "campaignId": .string(scenario.campaignID), "leadIds": .array(leadIDs.map { .string($0) }),
        ]
        if let run { chunk["runId"] = .string(run) }
        try await producer.produce(
          KafkaRecord(topic: "campaign.jobs", key: nil, value: JSONValue.object(chunk).encoded()))
      }
      // A campaign without a run starts one whose audience these leads are; the unknown one becomes a dead letter.
      let stranger = "ffffffffffffffffffffffff"
      try await produce(Array(ids.prefix(3)) + [stranger])
      let letter = try await first("campaign.dlq", of: stack)
      #expect(text(letter.header("dlq-error-class")) == "unknown_leads")
      #expect(text(letter.header("dlq-error")).contains(stranger))
      let (stats, _) = try await scenario.untilSettled()
      #expect(stats["audience"] == 3)
      // The run is over now: what comes later is refused.
      try await produce([ids[5]])
      let late = try await first("campaign.dlq", of: stack) {
        $0.header("dlq-error-class") == Array("run_is_final".utf8)
      }
      #expect(late.value != nil)
      try await produce([ids[5]], run: "00000000-0000-4000-8000-000000000000")
      _ = try await first("campaign.dlq", of: stack) { $0.header("dlq-error-class") == Array("unknown_run".utf8) }
      await producer.close()
    }
  }
}
