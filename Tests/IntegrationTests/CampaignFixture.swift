import BSON
import CRMCore
import CRMStore
import CivilTime
import Crypto
import JSON
import Mongo
import Runtime

/// A store with some leads, a segment that matches all of them, and a campaign.
struct CampaignFixture: Sendable {
  let store: Store
  let campaign: Campaign
  let leads: [Lead]
  let clock: TestClock

  static let start = Timestamp(milliseconds: 1_774_953_000_000)

  /// - Parameter prepare: changes lead number n before it is stored.
  static func make(
    leads count: Int, template: String = "Hi {{ name }}", channel: Channel = .whatsapp,
    prepare: (inout Lead, Int) -> Void = { _, _ in }
  ) async throws -> CampaignFixture {
    let clock = TestClock(start)
    let store = try await TestServers.shared.store(clock: clock)
    var leads: [Lead] = []
    for number in 0..<count {
      var lead = Lead(
        id: ObjectID(), name: "Lead \(number)", emails: ["lead\(number)@example.com"],
        phones: ["+1555\(String(1_000_000 + number))"], createdAt: start, updatedAt: start)
      prepare(&lead, number)
      leads.append(lead)
    }
    let segment = Segment(
      id: ObjectID(), name: "All",
      rule: ["type": "condition", "field": "total_spend", "operator": ">=", "value": 0], createdAt: start,
      updatedAt: start)
    let campaign = Campaign(
      id: ObjectID(), name: "Spring", segmentID: segment.id, messageTemplate: template, channel: channel,
      createdBy: "tests", createdAt: start, updatedAt: start)
    let documents = leads.map { $0.bson() }
    try await store.mongo.withConnection { connection in
      if !documents.isEmpty { try connection.insertMany(Collections.leads, documents).throwIfFailed() }
      try connection.insertOne(Collections.segments, segment.bson())
      try connection.insertOne(Collections.campaigns, campaign.bson())
    }
    return CampaignFixture(store: store, campaign: campaign, leads: leads, clock: clock)
  }

  /// Launches and freezes the whole audience in chunks.
  func frozenRun(chunkSize: Int = 1000) async throws -> (run: CampaignRun, chunks: [AudienceChunk]) {
    let launch = try await store.launch(campaignID: campaign.id)
    let lease = try await store.leaseFreeze(launch.run.id, owner: "test", seconds: 60).unwrapped("a free lease")
    var cursor: ObjectID?
    var sequence: Int64 = 0
    var hash: String?
    if let bound = lease.upperBound {
      while true {
        let ids = try await store.audiencePage(matching: [:], after: cursor, upTo: bound, limit: chunkSize)
        if ids.isEmpty { break }
        let next = AudienceHash.adding(ids, to: hash)
        try await store.freezeChunk(lease, sequence: sequence, leadIDs: ids, hash: next, leaseSeconds: 60)
        hash = next
        cursor = ids.last
        sequence += 1
      }
    }
    try await store.finishFreeze(lease)
    let run = try await store.run(launch.run.id).unwrapped("the run")
    return (run, try await store.chunks(run: run.id, afterSequence: nil, limit: 1000))
  }

  static func render(_ lead: Lead) -> LeadMessage {
    lead.phones.first.map { .send(to: $0, message: "Hi \(lead.name)") } ?? .skip(reason: "no address for whatsapp")
  }

  /// The counters, checked against a recount of chunks and log rows.
  func checkedStats(_ run: UUIDBytes) async throws -> CampaignStats {
    let stats = try await store.stats(ofRun: run)
    let recount = try await store.mongo.withConnection { connection -> CampaignStats in
      var counted = CampaignStats()
      try connection.find(Collections.audienceChunks, ["run_id": .uuid(run.bytes)]) { document in
        let leads = Int64(document["lead_ids"]?.arrayValue?.count ?? 0)
        counted.audience += leads
        if document["expanded"]?.boolValue == false { counted.pending += leads }
        return .more
      }
      try connection.find(Collections.communicationLogs, ["run_id": .uuid(run.bytes)]) { row in
        if let status = row["status"]?.stringValue.flatMap(SendStatus.init(rawValue:)) { counted[status] += 1 }
        return .more
      }
      return counted
    }
    guard stats == recount, stats.isConserved else { throw WrongNumbers(stats: stats, recount: recount) }
    return stats
  }
}

struct WrongNumbers: Error, CustomStringConvertible {
  let stats: CampaignStats
  let recount: CampaignStats

  var description: String { "counters \(stats.counters) differ from the recount \(recount.counters)" }
}

struct Missing: Error, CustomStringConvertible {
  let description: String
}

extension Optional {
  /// - Throws: `Missing`, so that a test ends where its ground is missing.
  func unwrapped(_ what: String) throws -> Wrapped {
    guard let self else { throw Missing(description: "there is no \(what)") }
    return self
  }
}
