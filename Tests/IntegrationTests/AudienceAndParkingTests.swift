import BSON
import CRMCore
import CRMStore
import CivilTime
import Crypto
import Mongo
import Testing

@Suite struct AudienceAndParkingTests {
  @Test func evidenceThatCameBeforeItsRowIsMergedWhenTheRowIsThere() async throws {
    let fixture = try await CampaignFixture.make(leads: 2)
    let (run, chunks) = try await fixture.frozenRun()
    let sends = fixture.leads.map { SendID.make(run: run.id, lead: $0.id, channel: .whatsapp) }
    let failure = SendError(errorClass: "blocked", message: "no")
    _ = try await fixture.store.merge([
      sends[0]: [
        SendEvent(
          status: .delivered, at: CampaignFixture.start, source: .receipt, vendor: "simulator", vendorMessageID: "v0")
      ],
      sends[1]: [
        SendEvent(
          status: .failed, at: CampaignFixture.start, source: .receipt, vendor: "simulator", vendorMessageID: "v1",
          error: failure)
      ],
    ])
    let early = try await fixture.store.mergeParked(limit: 10)
    #expect(early.looked == 2 && early.report.changed == 0)
    #expect(try await fixture.store.mergeParked(limit: 10).looked == 0, "they wait for a while")
    _ = try await fixture.store.expand(chunks[0], of: run, render: CampaignFixture.render)
    try await fixture.store.mongo.withConnection { connection in
      _ = try connection.updateMany(
        Collections.parkedReceipts, [:], ["$set": ["next_at": .date(milliseconds: 0)]])
    }
    let late = try await fixture.store.mergeParked(limit: 10)
    #expect(late.report.changed == 2 && late.report.runs == [run.id])
    let stats = try await fixture.checkedStats(run.id)
    #expect(stats.delivered == 1 && stats.failed == 1)
    let (row, parked) = try await fixture.store.mongo.withConnection { connection in
      (
        try connection.findOne(Collections.communicationLogs, ["_id": .uuid(sends[1].bytes)]),
        try connection.count(Collections.parkedReceipts, [:])
      )
    }
    #expect(parked == 0)
    #expect(row?["vendor"]?.stringValue == "simulator" && row?["vendor_message_id"]?.stringValue == "v1")
    #expect(row?["error"]?["class"]?.stringValue == "blocked")
  }

  @Test func aRunsAudienceTellsItsMembersAndThatNothingHasChangedIt() async throws {
    let fixture = try await CampaignFixture.make(leads: 12)
    let (run, chunks) = try await fixture.frozenRun(chunkSize: 5)
    let member = try await fixture.store.chunk(run: run.id, ofLead: fixture.leads[7].id).unwrapped("the chunk")
    #expect(member.sequence == 1 && member.origin == .rule)
    #expect(try await fixture.store.chunk(run: run.id, ofLead: ObjectID()) == nil)
    let extra = ObjectID()
    _ = try await fixture.store.appendChunk(run: run.id, leadIDs: [extra])
    #expect(try await fixture.store.chunk(run: run.id, ofLead: extra)?.origin == .manual)
    let page = try await fixture.store.audience(ofRun: run.id, start: .page(1), limit: 2)
    #expect(page.total == 4 && page.elements.map(\.sequence) == [-1, 0] && page.next != nil)

    let now = try await fixture.store.run(run.id).unwrapped("the run")
    let check = try await fixture.store.checkAudience(of: now)
    #expect(check.matches && check.leads == 12 && check.manualLeads == 1 && check.chunks == 3)
    let changed = BSONValue.array(chunks[2].leadIDs.reversed().map { .objectID($0) })
    try await fixture.store.mongo.withConnection { connection in
      _ = try connection.updateOne(
        Collections.audienceChunks, ["_id": .objectID(chunks[2].id)], ["$set": ["lead_ids": changed]])
    }
    let tampered = try await fixture.store.checkAudience(of: now)
    #expect(!tampered.matches && tampered.leads == 12)
  }

  @Test func leadsThatSeveralHandMadeChunksNameAtOnceAreAppendedOnce() async throws {
    let fixture = try await CampaignFixture.make(leads: 1)
    let (run, _) = try await fixture.frozenRun()
    let extra = (0..<4).map { _ in ObjectID() }
    let chunks = try await withThrowingTaskGroup(of: [AudienceChunk]?.self) { group in
      for start in 0..<3 {
        group.addTask { try await fixture.store.appendChunk(run: run.id, leadIDs: Array(extra[start...])) }
      }
      return try await group.reduce(into: []) { $0.append($1 ?? []) }
    }
    #expect(chunks.allSatisfy { !$0.isEmpty })
    #expect(try await fixture.store.run(run.id)?.audience == 5)
    #expect(try await fixture.checkedStats(run.id).audience == 5)
  }

  @Test func aLateScheduleWaitsUntilItIsConfirmedOrChanged() async throws {
    let fixture = try await CampaignFixture.make(leads: 1)
    let id = fixture.campaign.id
    try await fixture.store.mongo.withConnection { connection in
      _ = try connection.updateOne(
        Collections.campaigns, ["_id": .objectID(id)],
        ["$set": ["status": "SCHEDULED", "schedule_at": .date(milliseconds: 1000)]])
    }
    #expect(try await fixture.store.markOverdueSchedules(graceSeconds: 60, limit: 5).map(\.id) == [id])
    #expect(try await fixture.store.campaign(id).confirmationRequired)
    #expect(try await fixture.store.markOverdueSchedules(graceSeconds: 60, limit: 5).isEmpty)
    var change = CampaignChange()
    change.scheduleAt = Timestamp(milliseconds: 2000)
    #expect(try await fixture.store.updateCampaign(id, change).confirmationRequired == false)
    _ = try await fixture.store.markOverdueSchedules(graceSeconds: 60, limit: 5)
    _ = try await fixture.store.launch(campaignID: id)
    #expect(try await fixture.store.campaign(id).confirmationRequired == false)
  }
}
