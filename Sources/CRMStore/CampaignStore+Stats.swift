import BSON
import CRMCore
import Crypto
import JSON
import Mongo

/// The counters of one run of a campaign.
public struct CampaignRunStats: Sendable {
  public let campaign: Campaign
  /// Nil when the campaign has never run.
  public let run: CampaignRun?
  public let stats: CampaignStats
}

extension CampaignRunStats: JSONRepresentable {
  /// The campaign's status, its run, and the run's counters.
  public var jsonValue: JSONValue {
    var object = JSONObject([
      ("campaign_id", .string(campaign.id.hex)), ("status", .string(campaign.status.rawValue)),
      ("run_id", run.map { .string($0.id.string) } ?? .null),
      ("run_state", run.map { .string($0.state.rawValue) } ?? .null),
    ])
    object.entries += stats.jsonValue.objectValue?.entries ?? []
    return .object(object)
  }
}

extension Store {
  /// The counters of several runs, each as one snapshot shows them; a run that has counted nothing has zeros.
  public func stats(ofRuns runs: [UUIDBytes]) async throws -> [UUIDBytes: CampaignStats] {
    guard !runs.isEmpty else { return [:] }
    return try await mongo.withConnection { connection in
      var stats: [UUIDBytes: CampaignStats] = [:]
      for run in runs { stats[run] = CampaignStats() }
      let slots = runs.flatMap { run in (0..<RunStats.slots).map { BSONValue.string(RunStats.slotID(run, $0)) } }
      let options = FindOptions(batchSize: slots.count, readConcern: .snapshot)
      try connection.find(Collections.runStats, ["_id": ["$in": .array(slots)]], options) { document in
        guard let bytes = document["run_id"]?.uuidBytes, let run = UUIDBytes(bytes: bytes) else { return .more }
        stats[run, default: CampaignStats()] += CampaignStats(bson: document)
        return .more
      }
      return stats
    }
  }

  /// A campaign's counters: those of a run, or of its current one.
  ///
  /// - Throws: `StoreError.notFound` for an unknown campaign, or for a run that is not this campaign's.
  public func runStats(ofCampaign id: ObjectID, run wanted: UUIDBytes?) async throws -> CampaignRunStats {
    try await mongo.withConnection { connection in
      guard let document = try connection.findOne(Collections.campaigns, ["_id": .objectID(id)]) else {
        throw StoreError.notFound(what: "campaign", id: id.hex)
      }
      let campaign = try Campaign(bson: document)
      guard let runID = wanted ?? campaign.currentRun else {
        return CampaignRunStats(campaign: campaign, run: nil, stats: CampaignStats())
      }
      guard let run = try Store.run(runID, connection), run.campaignID == id else {
        throw StoreError.notFound(what: "run of this campaign", id: runID.string)
      }
      return CampaignRunStats(campaign: campaign, run: run, stats: try RunStats.read(runID, connection))
    }
  }
}
