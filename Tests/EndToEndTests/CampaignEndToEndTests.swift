import Foundation
import HTTP
import JSON
import Testing

/// The built processes, a real MongoDB, and each broker that is at hand.
@Suite(.serialized) struct CampaignEndToEndTests {
  @Test(arguments: TestStack.Broker.available)
  func aCampaignReachesItsWholeAudienceOnce(broker: TestStack.Broker) async throws {
    try await TestStack.with(broker) { stack in
      let scenario = try await CampaignScenario.prepare(stack, leads: 6000)
      let answer = try await scenario.run()
      #expect(answer["totalLeads"]?.intValue == 3000)
      #expect(answer["success"]?.boolValue == true)
      let (stats, polls) = try await scenario.untilSettled()
      #expect(polls > 1)
      // Every tenth lead has no phone: numbers that end in 9, which are odd.
      #expect(stats["audience"] == 3000 && stats["skipped"] == 600)
      #expect((stats["delivered"] ?? 0) + (stats["failed"] ?? 0) == 2400)
      #expect((stats["failed"] ?? 0) > 120 && (stats["failed"] ?? 0) < 400)
      let sends = try await scenario.effectiveSends()
      #expect(sends.count == 2400)
      #expect(sends.values.allSatisfy { $0 == 1 })
      try await logRowsAreComplete(scenario, audience: 3000)
    }
  }

  private func logRowsAreComplete(_ scenario: CampaignScenario, audience: Int) async throws {
    var ids: Set<String> = []
    var page = 1
    while true {
      let answer = try await scenario.stack.succeed(
        .get, "/api/v1/campaigns/\(scenario.campaignID)/logs?limit=100&page=\(page)")
      let rows = answer.data.arrayValue ?? []
      for row in rows { ids.insert(row["_id"]?.stringValue ?? row["send_id"]?.stringValue ?? "") }
      if rows.count < 100 { break }
      page += 1
    }
    #expect(ids.count == audience)
  }

  @Test func twoOfEveryProcessGiveTheSameNumbers() async throws {
    let replicas = [
      "GATEWAYS": "2", "EXPANDERS": "2", "SEND_WORKERS": "2", "AGGREGATORS": "2", "INGEST_WORKERS": "2",
    ]
    try await TestStack.with(TestStack.Broker.available.last ?? .embedded, replicas) { stack in
      let scenario = try await CampaignScenario.prepare(stack, leads: 6000)
      try await scenario.run()
      let (stats, _) = try await scenario.untilSettled()
      #expect(stats["audience"] == 3000 && stats["skipped"] == 600)
      let sends = try await scenario.effectiveSends()
      #expect(sends.count == 2400)
      #expect(sends.values.allSatisfy { $0 == 1 })
    }
  }

  @Test(arguments: ["job-expander", "send-worker", "receipt-aggregator", "api-gateway", "vendor-sim"])
  func killingAProcessMidCampaignLosesNobody(name: String) async throws {
    let settings = ["SWEEP_AFTER_S": "2", "CLAIM_LEASE_S": "8", "SEND_TIMEOUT_MS": "2000", "LAUNCH_LEASE_S": "2"]
    try await TestStack.with(.embedded, settings) { stack in
      let scenario = try await CampaignScenario.prepare(stack, leads: 8000)
      try await scenario.run()
      try await until("the campaign is under way", within: .seconds(60)) {
        let stats = try await scenario.stats()
        return (stats["sent"] ?? 0) + (stats["delivered"] ?? 0) + (stats["sending"] ?? 0) > 100
      }
      let killed = try await stack.kill(name)
      try await stack.restart(killed)
      let stats = try await scenario.untilFinal()
      #expect(stats["audience"] == 4000 && stats["skipped"] == 800)
      let undecided = stats["unknown"] ?? 0
      let sends = try await scenario.effectiveSends()
      #expect(sends.values.allSatisfy { $0 == 1 }, "nobody is messaged twice")
      #expect(sends.count + Int(undecided) >= 3200, "nobody is lost")
      #expect((stats["delivered"] ?? 0) + (stats["failed"] ?? 0) + (stats["sent"] ?? 0) + undecided == 3200)
    }
  }
}

extension CampaignScenario {
  /// The counters once the campaign is complete; receipts that a killed process lost leave their sends SENT.
  func untilFinal(within limit: Duration = .seconds(120)) async throws -> [String: Int64] {
    try await until("the campaign is complete", within: limit) { try await status() == "COMPLETED" }
    // Receipts go on arriving for a moment: wait until two readings, some time apart, agree.
    var before = try await stats()
    for _ in 0..<100 {
      try await Task.sleep(for: .seconds(1))
      let now = try await stats()
      if now == before { return now }
      before = now
    }
    return before
  }
}
