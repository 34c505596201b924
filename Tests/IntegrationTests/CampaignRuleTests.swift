import BSON
import CRMCore
import CivilTime
import JSON
import Testing

@testable import CRMStore

/// Rules about campaigns, put to the rows that the product itself writes.
@Suite struct CampaignRuleTests {
  private static func count(_ condition: JSONValue, _ fixture: CampaignFixture) async throws -> Int {
    let rule = ZonedRule(rule: try Rule.decode(condition), zone: .utc)
    let compiled = try await fixture.store.compile(rule, now: fixture.clock.now())
    return try await fixture.store.preview(compiled, timeoutMS: 10_000).count
  }

  private static func anyMessage(within span: String, negate: Bool = false) -> JSONValue {
    [
      "type": "campaign", "campaign_id": "any", "status": "any", "within": .string(span), "negate": .bool(negate),
    ]
  }

  /// "No message within 30 days" is how people keep from writing too often: it must know every kind of row.
  @Test func aMessageOfAnyStatusCountsFromWhenItWasMade() async throws {
    let fixture = try await CampaignFixture.make(leads: 8) { lead, number in
      if number % 4 == 3 { lead.phones = [] }
    }
    let (run, chunks) = try await fixture.frozenRun(chunkSize: 6)
    #expect(try await fixture.store.expand(chunks[0], of: run, render: CampaignFixture.render).jobs.count == 5)
    #expect(try await Self.count(Self.anyMessage(within: "1 day"), fixture) == 6)
    #expect(try await Self.count(Self.anyMessage(within: "1 day", negate: true), fixture) == 2)

    // What is cancelled before it was expanded gets its rows then.
    _ = try await fixture.store.setStatus(campaignID: fixture.campaign.id, to: .cancelled)
    try await fixture.store.cancel(chunks[1], of: run)
    #expect(try await Self.count(Self.anyMessage(within: "1 day"), fixture) == 8)

    fixture.clock.advance(by: .seconds(2 * 86_400))
    #expect(try await Self.count(Self.anyMessage(within: "1 day"), fixture) == 0)
    #expect(try await Self.count(Self.anyMessage(within: "3 days"), fixture) == 8)
    #expect(try await Self.count(Self.anyMessage(within: "1 day", negate: true), fixture) == 8)
  }
}
