import BSON
import CRMCore
import CRMStore
import CivilTime
import JSON
import Testing

@Suite struct SegmentStoreTests {
  private static let rule: JSONValue = [
    "op": "AND",
    "children": [
      ["type": "condition", "field": "total_spend", "operator": ">", "value": 100],
      ["type": "condition", "field": "metadata.ratio", "operator": "=", "value": 5.0],
    ],
  ]

  private static func segment(_ name: String = "Big spenders") -> Segment {
    let now = Timestamp(milliseconds: 1_774_953_000_000)
    return Segment(id: ObjectID(), name: name, rule: rule, timezone: "Europe/Oslo", createdAt: now, updatedAt: now)
  }

  private static func campaign(of segment: Segment) -> Campaign {
    Campaign(
      id: ObjectID(), name: "Spring", segmentID: segment.id, messageTemplate: "Hi", channel: .sms, createdBy: "tests",
      createdAt: segment.createdAt, updatedAt: segment.createdAt)
  }

  @Test func aSegmentComesBackAsItWasStored() async throws {
    let store = try await TestServers.shared.store()
    let segment = Self.segment()
    #expect(try await store.createSegment(segment) == segment)
    #expect(try await store.segment(segment.id) == segment)
    #expect(try await store.createSegment(segment) == segment, "a repetition finds what the first attempt made")
  }

  @Test func aChangeKeepsWhatItDoesNotTouch() async throws {
    let store = try await TestServers.shared.store()
    let segment = try await store.createSegment(Self.segment())
    try await store.recordPreview(of: segment, count: 7)
    let renamed = try await store.updateSegment(segment.id) { before, _ in
      var after = before
      after.name = "Renamed"
      return after
    }
    #expect(renamed.previewCount == 7)
    let changed = try await store.updateSegment(segment.id) { before, _ in
      var after = before
      after.previewCount = nil
      after.previewedAt = nil
      return after
    }
    #expect(changed.previewCount == nil)
    #expect(try await store.segment(segment.id) == changed)
  }

  @Test func aSegmentIsDeletedOnlyWhenNoUnfinishedCampaignUsesIt() async throws {
    let store = try await TestServers.shared.store()
    let segment = try await store.createSegment(Self.segment())
    let campaign = try await store.createCampaign(Self.campaign(of: segment))
    await #expect(throws: StoreError.self) { try await store.deleteSegment(segment.id) }
    try await store.deleteCampaign(campaign.id)
    try await store.deleteSegment(segment.id)
    await #expect(throws: StoreError.self) { try await store.segment(segment.id) }
    await #expect(throws: StoreError.self) { try await store.deleteSegment(segment.id) }
  }

  @Test func aSegmentIsNeverDeletedUnderACampaignMadeAtTheSameMoment() async throws {
    let store = try await TestServers.shared.store()
    for _ in 0..<10 {
      let segment = try await store.createSegment(Self.segment())
      let campaign = Self.campaign(of: segment)
      async let deleted = (try? await store.deleteSegment(segment.id)) != nil
      async let created = (try? await store.createCampaign(campaign)) != nil
      let outcome = await (deleted, created)
      #expect(outcome.0 != outcome.1, "exactly one of the two must win")
    }
  }

  @Test func segmentsAreListedAndFoundByName() async throws {
    let store = try await TestServers.shared.store()
    for name in ["Alpha", "Beta", "Alphabet"] { _ = try await store.createSegment(Self.segment(name)) }
    let order = ListOrder(field: "name", ascending: true)
    let all = try await store.segments(search: nil, order: order, start: .page(1), limit: 2)
    #expect(all.elements.map(\.name) == ["Alpha", "Alphabet"])
    #expect(all.total == 3)
    let found = try await store.segments(search: "ALPHA", order: order, start: .page(1), limit: 10)
    #expect(found.elements.map(\.name) == ["Alpha", "Alphabet"])
  }

  @Test func aPreviewCountsAllAndShowsSome() async throws {
    let store = try await TestServers.shared.store()
    let rows = (0..<30).map { LeadInput(name: "L\($0)", emails: ["l\($0)@x.com"], totalSpend: Double($0)) }
    _ = try await store.upsertLeads(rows)
    func spent(_ op: String, _ value: JSONValue) async throws -> CompiledRule {
      let rule = try Rule.decode(["type": "condition", "field": "total_spend", "operator": .string(op), "value": value])
      return try await store.compile(ZonedRule(rule: rule, zone: .utc), now: Self.segment().createdAt)
    }
    let preview = try await store.preview(spent(">=", 10), timeoutMS: 5000)
    #expect(preview.count == 20)
    #expect(preview.sample.count == 10)
    #expect(preview.sample.allSatisfy { $0.totalSpend >= 10 })
    #expect(try await store.countLeads(spent("<", 0), timeoutMS: 5000) == 0)
    #expect(try await store.sample(spent("<", 3), limit: 2, timeoutMS: 5000).map(\.name) == ["L0", "L1"])
  }

  @Test func aRuleAboutOrdersAndOtherSegmentsFindsItsLeads() async throws {
    let store = try await TestServers.shared.store()
    let rows = (0..<6).map { LeadInput(name: "L\($0)", emails: ["l\($0)@x.com"], tags: $0 < 4 ? ["vip"] : []) }
    _ = try await store.upsertLeads(rows)
    let day = Timestamp(milliseconds: 1_774_953_000_000)
    let orders = [0, 0, 1, 5, 5].enumerated().map { index, lead in
      OrderInput(orderNo: "\(index)", lead: .email("l\(lead)@x.com"), total: 10, currency: "USD", orderedAt: day)
    }
    _ = try await store.applyOrders(orders)
    var vips = Self.segment("VIPs")
    vips.rule = ["type": "condition", "field": "tags", "operator": "HAS_ANY", "value": ["vip"]]
    _ = try await store.createSegment(vips)
    let rule = try Rule.decode([
      "op": "AND",
      "children": [
        ["type": "segment", "segment_id": .string(vips.id.hex)],
        ["type": "orders", "measure": "count", "operator": ">=", "value": 2],
      ],
    ])
    let compiled = try await store.compile(ZonedRule(rule: rule, zone: .utc), now: day)
    #expect(try await store.preview(compiled, timeoutMS: 5000).sample.map(\.name) == ["L0"])
  }

  @Test func aRuleThatNamesAnUnknownSegmentOrItselfIsNotUnderstood() async throws {
    let store = try await TestServers.shared.store()
    let id = ObjectID()
    let rule = ZonedRule(rule: try Rule.decode(["type": "segment", "segment_id": .string(id.hex)]), zone: .utc)
    await #expect(throws: RuleError.self) { try await store.compile(rule, now: Self.segment().createdAt) }
    await #expect(throws: RuleError.self) {
      try await store.compile(rule, now: Self.segment().createdAt, assuming: [id: rule])
    }
  }
}
