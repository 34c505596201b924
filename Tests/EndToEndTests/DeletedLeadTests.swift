import JSON
import Testing

@Suite(.serialized) struct DeletedLeadTests {
  /// Leads are deleted while their campaign runs: whoever has not been written to yet never is, and the numbers add up.
  @Test func aLeadThatIsDeletedDuringARunIsSkippedAndTheNumbersAddUp() async throws {
    try await TestStack.with(.embedded, ["RATE_LIMIT_PER_MINUTE": "600"]) { stack in
      let scenario = try await CampaignScenario.prepare(stack, leads: 120)
      try await scenario.run()
      try await until("the audience is queued") { try await scenario.stats()["queued"] ?? 0 > 30 }
      let page = try await stack.succeed(.get, "/api/v1/leads?limit=60&sort_by=total_spend&sort_order=desc")
      let ids = (page.data.arrayValue ?? []).compactMap { $0["_id"]?.stringValue }
      var deleted = 0
      for id in ids.suffix(25) {
        deleted += try await stack.request(.delete, "/api/v1/leads/\(id)").status == 200 ? 1 : 0
        _ = try await scenario.stats()
      }
      #expect(deleted == 25)
      let (stats, _) = try await scenario.untilSettled()
      #expect(stats["audience"] == 60)
      // Those without a telephone number are skipped in any case.
      let logs = try await stack.succeed(
        .get, "/api/v1/campaigns/\(scenario.campaignID)/logs?status=SKIPPED&limit=100")
      let reasons = (logs.data.arrayValue ?? []).compactMap { $0["error"]?["class"]?.stringValue }
      #expect(Int64(reasons.count) == stats["skipped"])
      #expect(reasons.contains("lead_deleted"), "\(Set(reasons))")
    }
  }
}
