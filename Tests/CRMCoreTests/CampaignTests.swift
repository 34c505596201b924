import BSON
import CRMCore
import CivilTime
import JSON
import Testing

@Suite struct CampaignTests {
  private let whole: JSONValue = [
    "name": " Spring ", "segment_id": "65f0a1b2c3d4e5f6bbbbbbbb", "message_template": "Hi {{ name }}", "channel": "sms",
    "created_by": "ann",
  ]

  private func changed(_ changes: JSONObject = [:], without absent: String...) -> JSONValue {
    guard case .object(var object) = whole else { return whole }
    for (key, value) in changes { object[key] = value }
    for key in absent { object[key] = nil }
    return .object(object)
  }

  @Test func aNewOneIsADraftOrScheduled() throws {
    let draft = try CampaignInput.decode(whole).get()
    #expect(draft.name == "Spring" && draft.channel == .sms && !draft.send && draft.deliveryPolicy == .atMostOnce)
    #expect(draft.newCampaign(id: Fixture.campaignID, at: Fixture.now).status == .draft)
    let scheduled = try CampaignInput.decode(changed(["schedule_at": "2026-04-01T08:00:00Z"])).get()
    #expect(scheduled.newCampaign(id: Fixture.campaignID, at: Fixture.now).status == .scheduled)
  }

  @Test func namesEveryBadFieldAtOnce() {
    let result = CampaignInput.decode([
      "name": 1, "segment_id": "x", "message_template": "Hi {{ nam }}", "channel": "fax", "send": "yes",
      "delivery_policy": "maybe", "schedule_at": "soon", "budget": 1,
    ])
    #expect(
      result.problems == [
        "budget unknown_field", "channel invalid_choice", "created_by required", "delivery_policy invalid_choice",
        "message_template invalid_template", "name invalid_type", "schedule_at invalid_timestamp",
        "segment_id invalid_id", "send invalid_type",
      ])
    #expect(CampaignInput.decode(changed(["message_template": " \n"])).problems == ["message_template required"])
    #expect(
      CampaignInput.decode(changed(["send": true, "schedule_at": "2026-04-01T08:00:00Z"])).problems == ["send conflict"]
    )
  }

  @Test func isByWhoIsSignedInUnlessItSaysOtherwise() throws {
    #expect(try CampaignInput.decode(changed(without: "created_by"), author: "bob").get().createdBy == "bob")
    #expect(try CampaignInput.decode(whole, author: "bob").get().createdBy == "ann")
  }

  @Test func aChangeTouchesWhatItNames() throws {
    let campaign = Fixture.campaign()
    let later = Fixture.now.advanced(by: .seconds(1))
    let change = try CampaignChange.decode(["name": "Summer", "schedule_at": "2026-06-01T00:00:00Z"]).get()
    let (changed, isChanged) = change.applied(to: campaign, at: later)
    #expect(isChanged && changed.name == "Summer" && changed.updatedAt == later)
    #expect(changed.messageTemplate == campaign.messageTemplate)
    #expect(change.changesMoreThanSchedule)
    #expect(try !CampaignChange.decode(["schedule_at": "2026-06-01T00:00:00Z"]).get().changesMoreThanSchedule)
    #expect(try CampaignChange.decode(["name": "Spring"]).get().applied(to: campaign, at: later) == (campaign, false))
    #expect(
      CampaignChange.decode(["status": "RUNNING", "name": ""]).problems == ["name required", "status unknown_field"])
  }

  @Test func comesBackFromItsDocument() throws {
    var campaign = Fixture.campaign(status: .failed)
    #expect(try Campaign(bson: campaign.bson()) == campaign)
    campaign.scheduleAt = Fixture.now
    campaign.currentRun = Fixture.runID
    campaign.deliveryPolicy = .atLeastOnce
    campaign.failure = CampaignFailure(errorClass: "invalid_rule", message: "why", at: Fixture.now)
    campaign.stats = CampaignStats()
    campaign.stats?.audience = 5
    campaign.stats?.sent = 5
    #expect(try Campaign(bson: campaign.bson()) == campaign)
    #expect(campaign.jsonValue["current_run"]?.stringValue == Fixture.runID.string)
    #expect(campaign.jsonValue["failure"]?["at"] == "2026-03-31T10:30:00.000Z")
    #expect(campaign.jsonValue["stats"]?["audience"] == 5)
  }

  /// Contract §6, "Campaign life".
  @Test func goesOnlyTheWaysOfItsLife() {
    let legal: Set<[CampaignStatus]> = [
      [.draft, .scheduled], [.draft, .running], [.scheduled, .running], [.scheduled, .cancelled], [.running, .paused],
      [.running, .completed], [.running, .failed], [.running, .cancelled], [.paused, .running], [.paused, .cancelled],
    ]
    for from in CampaignStatus.allCases {
      for to in CampaignStatus.allCases {
        #expect(from.canBecome(to) == legal.contains([from, to]), "\(from) → \(to)")
      }
      #expect(from.isFinal == CampaignStatus.allCases.allSatisfy { !from.canBecome($0) })
    }
  }
}

@Suite struct CampaignRunTests {
  private var run: CampaignRun {
    CampaignRun(id: Fixture.runID, of: Fixture.campaign(), segment: Fixture.segment(), asOf: Fixture.now)
  }

  @Test func takesSnapshotsOfCampaignAndSegment() {
    #expect(run.rule == Fixture.segment().rule)
    #expect(run.messageTemplate == "Hi {{ name }}")
    #expect(run.segmentID == Fixture.segmentID)
    #expect(run.state == .launched && run.epoch == 0 && !run.frozen)
  }

  @Test func comesBackFromItsDocument() throws {
    var full = run
    #expect(try CampaignRun(bson: full.bson()) == full)
    full.state = .freezing
    full.cursor = Fixture.leadID
    full.audienceHash = "ab"
    full.lease = RunLease(owner: "w1", until: Fixture.now, fence: 3)
    full.completedAt = Fixture.now
    #expect(try CampaignRun(bson: full.bson()) == full)
    #expect(full.jsonValue["lease"] == nil)
    var broken = full.bson()
    broken["state"] = "DREAMING"
    #expect(throws: DocumentShapeError.self) { try CampaignRun(bson: broken) }
  }

  @Test func onlyActiveStatesAreNotFinal() {
    #expect(RunState.allCases.filter { !$0.isFinal } == RunState.active)
  }

  @Test func theAudienceHashDependsOnEveryLeadAndTheirOrder() {
    let (a, b) = (Fixture.leadID, Fixture.campaignID)
    let first = AudienceHash.adding([a, b], to: nil)
    #expect(first.utf8.count == 64)
    #expect(first == AudienceHash.adding([a, b], to: nil))
    #expect(first != AudienceHash.adding([b, a], to: nil))
    #expect(AudienceHash.adding([a], to: first) != AudienceHash.adding([a], to: nil))
  }
}

@Suite struct CampaignStatsTests {
  @Test func movingASendKeepsTheLaw() {
    var stats = CampaignStats()
    stats.audience = 3
    stats.pending = 3
    #expect(stats.isConserved && stats.inFlight == 3)
    for status in SendStatus.allCases where status != .pending {
      stats.move(from: .pending, to: status)
      #expect(stats.isConserved)
      #expect(stats[status] == 1)
      stats.move(from: status, to: .pending)
    }
    stats.sent = 1
    #expect(!stats.isConserved)
  }

  @Test func everyStateHasACounterOfItsOwn() {
    for status in SendStatus.allCases {
      var stats = CampaignStats()
      stats[status] = 7
      #expect(stats.counters.filter { $0.value == 7 }.map(\.name) == [status.rawValue.lowercased()])
    }
  }

  @Test func sumsAndComesBackFromItsDocument() {
    var left = CampaignStats()
    var right = CampaignStats()
    for (index, name) in CampaignStats.counterNames.enumerated() {
      left.add(Int64(index), to: name)
      right.add(100, to: name)
    }
    #expect((left + right).counters.map(\.value) == (0..<11).map { 100 + Int64($0) })
    #expect(CampaignStats(bson: left.bson()) == left)
    #expect(CampaignStats(bson: ["sent": .int32(4)]).sent == 4)
    left.add(1, to: "nonsense")
    #expect(CampaignStats(bson: left.bson()) == left)
  }

  @Test func ratesAreSharesAndZeroWithoutAWhole() {
    var stats = CampaignStats()
    #expect(stats.deliveryRate == 0 && stats.readRate == 0 && stats.failureRate == 0 && stats.progress == 0)
    stats.audience = 20
    stats.queued = 5
    stats.skipped = 5
    stats.sent = 2
    stats.delivered = 3
    stats.read = 2
    stats.failed = 2
    stats.unknown = 1
    #expect(stats.isConserved)
    #expect(stats.deliveryRate == 0.5)
    #expect(stats.readRate == 0.4)
    #expect(stats.failureRate == 0.2)
    #expect(stats.progress == 0.75)
    #expect(stats.jsonValue["delivery_rate"] == 0.5)
    #expect(stats.jsonValue["audience"] == 20)
  }
}

@Suite struct SegmentTests {
  @Test func decodesAndNamesEveryBadField() throws {
    let input = try SegmentInput.decode(["name": "S", "rule_ast": ["op": "AND"], "timezone": "Europe/Berlin"]).get()
    #expect(input == SegmentInput(name: "S", rule: ["op": "AND"], timezone: "Europe/Berlin"))
    #expect(
      SegmentInput.decode(["rule_ast": [], "timezone": "", "owner_user_id": 1, "x": 1]).problems
        == [
          "name required", "owner_user_id invalid_type", "rule_ast invalid_type", "timezone invalid_timezone",
          "x unknown_field",
        ])
  }

  @Test func keepsItsRuleTypeForType() throws {
    var segment = Fixture.segment()
    segment.rule = [
      "op": "OR",
      "children": [
        ["value": 5], ["value": 5.0], ["value": "5"], ["value": true], ["value": nil], ["value": [1, 2.5, "x"]],
        ["value": .int(.max)], ["value": "a\u{0}b"],
      ],
    ]
    segment.previewCount = 3
    segment.previewedAt = Fixture.now
    segment.ownerUserID = "ann"
    let read = try Segment(bson: BSONDocument(validating: segment.bson().bytes))
    #expect(read == segment)
    #expect(read.rule.encodedString() == segment.rule.encodedString())
  }
}
