import BSON
import CRMCore
import CRMStore
import CivilTime
import Crypto
import Testing

@Suite struct CampaignStoreTests {
  private static let newest = ListOrder(field: "created_at", ascending: false)

  @Test func aCampaignNeedsASegmentThatExists() async throws {
    let fixture = try await CampaignFixture.make(leads: 0)
    var campaign = fixture.campaign
    campaign.id = ObjectID()
    campaign.segmentID = ObjectID()
    await #expect(throws: StoreError.self) { try await fixture.store.createCampaign(campaign) }
    campaign.segmentID = fixture.campaign.segmentID
    #expect(try await fixture.store.createCampaign(campaign) == campaign)
    #expect(try await fixture.store.createCampaign(campaign) == campaign, "a repetition finds it")
  }

  @Test func aCampaignChangesInDraftOnly() async throws {
    let fixture = try await CampaignFixture.make(leads: 1)
    let store = fixture.store
    var change = CampaignChange()
    change.name = "Summer"
    #expect(try await store.updateCampaign(fixture.campaign.id, change).name == "Summer")
    _ = try await store.launch(campaignID: fixture.campaign.id)
    change.name = "Autumn"
    await #expect(throws: StoreError.self) { try await store.updateCampaign(fixture.campaign.id, change) }
    #expect(try await store.campaign(fixture.campaign.id).name == "Summer")
  }

  @Test func aScheduledCampaignTakesAnotherTimeAndNothingElse() async throws {
    let fixture = try await CampaignFixture.make(leads: 0)
    let store = fixture.store
    var campaign = fixture.campaign
    campaign.id = ObjectID()
    campaign.status = .scheduled
    campaign.scheduleAt = CampaignFixture.start.advanced(by: .seconds(3600))
    _ = try await store.createCampaign(campaign)
    var change = CampaignChange()
    change.scheduleAt = CampaignFixture.start.advanced(by: .seconds(7200))
    #expect(try await store.updateCampaign(campaign.id, change).scheduleAt == change.scheduleAt)
    change.name = "Other"
    await #expect(throws: StoreError.self) { try await store.updateCampaign(campaign.id, change) }
  }

  @Test func onlyDraftAndFinalCampaignsAreDeleted() async throws {
    let fixture = try await CampaignFixture.make(leads: 1)
    let store = fixture.store
    _ = try await store.launch(campaignID: fixture.campaign.id)
    await #expect(throws: StoreError.self) { try await store.deleteCampaign(fixture.campaign.id) }
    _ = try await store.setStatus(campaignID: fixture.campaign.id, to: .cancelled)
    try await store.deleteCampaign(fixture.campaign.id)
    await #expect(throws: StoreError.self) { try await store.campaign(fixture.campaign.id) }
  }

  @Test func launchingAgainWithTheSameRunIDFindsTheSameRun() async throws {
    let fixture = try await CampaignFixture.make(leads: 1)
    let runID = UUIDBytes()
    let first = try await fixture.store.launch(campaignID: fixture.campaign.id, runID: runID)
    let second = try await fixture.store.launch(campaignID: fixture.campaign.id, runID: runID)
    #expect(first.run.id == runID && second.run.id == runID)
    await #expect(throws: StoreError.self) { try await fixture.store.launch(campaignID: fixture.campaign.id) }
  }

  @Test func statsAndLogsAreOfTheCurrentRunUnlessAnotherIsAskedFor() async throws {
    let fixture = try await CampaignFixture.make(leads: 30) { lead, number in
      if number % 3 == 0 { lead.phones = [] }
    }
    let store = fixture.store
    let id = fixture.campaign.id
    #expect(try await store.runStats(ofCampaign: id, run: nil).run == nil)
    #expect(try await store.logs(ofCampaign: id, run: nil, LogQuery(start: .page(1), limit: 10)).total == 0)

    let (run, chunks) = try await fixture.frozenRun()
    for chunk in chunks { _ = try await store.expand(chunk, of: run, render: CampaignFixture.render) }
    let found = try await store.runStats(ofCampaign: id, run: nil)
    #expect(found.stats.audience == 30 && found.stats.queued == 20 && found.stats.skipped == 10)
    #expect(try await store.campaign(id).stats == found.stats)

    var query = LogQuery(start: .page(1), limit: 100)
    query.status = .skipped
    let skipped = try await store.logs(ofCampaign: id, run: run.id, query)
    #expect(skipped.total == 10)
    #expect(skipped.elements.allSatisfy { $0.jsonValue["status"]?.stringValue == "SKIPPED" })
    query = LogQuery(start: .page(1), limit: 100)
    query.search = "+15551000001"
    #expect(try await store.logs(ofCampaign: id, run: nil, query).total == 1)
    await #expect(throws: StoreError.self) { try await store.runStats(ofCampaign: id, run: UUIDBytes()) }
  }

  @Test func pagesOfALogShowEveryRowOnce() async throws {
    let fixture = try await CampaignFixture.make(leads: 25)
    let (run, chunks) = try await fixture.frozenRun()
    for chunk in chunks { _ = try await fixture.store.expand(chunk, of: run, render: CampaignFixture.render) }
    var ids: [String] = []
    var start = PageStart.page(1)
    while ids.count < 100 {
      let page = try await fixture.store.logs(
        ofCampaign: fixture.campaign.id, run: nil, LogQuery(start: start, limit: 7))
      ids += page.elements.compactMap { $0.jsonValue["send_id"]?.stringValue }
      guard let next = page.next else { break }
      start = .after(next)
    }
    #expect(ids.count == 25)
    #expect(Set(ids).count == 25)
  }

  @Test func listsShowEachCampaignWithTheStatsOfItsRun() async throws {
    let fixture = try await CampaignFixture.make(leads: 10)
    let store = fixture.store
    var idle = fixture.campaign
    idle.id = ObjectID()
    idle.name = "Idle"
    _ = try await store.createCampaign(idle)
    let (run, chunks) = try await fixture.frozenRun()
    for chunk in chunks { _ = try await store.expand(chunk, of: run, render: CampaignFixture.render) }

    let all = try await store.campaigns(CampaignQuery(order: Self.newest, start: .page(1), limit: 10))
    #expect(all.total == 2)
    let running = try #require(all.elements.first { $0.id == fixture.campaign.id })
    #expect(running.stats?.queued == 10)
    #expect(all.elements.first { $0.id == idle.id }?.stats == nil)
    var query = CampaignQuery(order: Self.newest, start: .page(1), limit: 10)
    query.status = .draft
    #expect(try await store.campaigns(query).elements.map(\.name) == ["Idle"])
    query.status = nil
    query.search = "SPRI"
    #expect(try await store.campaigns(query).elements.map(\.name) == ["Spring"])
  }
}
