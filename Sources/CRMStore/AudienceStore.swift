import BSON
import CRMCore
import CivilTime
import Crypto
import Mongo

/// What a recount of a run's frozen audience found.
public struct AudienceCheck: Sendable, Equatable {
  /// The fingerprint that the freezing left in the run; nil for an audience without a rule's chunk.
  public let recorded: String?
  /// The fingerprint of the chunks as they are stored now.
  public let computed: String?
  /// Chunks and leads that the rule found.
  public let chunks: Int64
  public let leads: Int64
  /// Leads that operators appended by hand, which the fingerprint does not cover.
  public let manualLeads: Int64
  /// The run's own count of both.
  public let recordedLeads: Int64
  public let isFrozen: Bool

  public var matches: Bool { recorded == computed && recordedLeads == leads + manualLeads }
}

extension Store {
  /// The chunk through which a lead is in a run's audience; nil when it is not in it.
  public func chunk(run: UUIDBytes, ofLead lead: ObjectID) async throws -> AudienceChunk? {
    try await chunks(run: run, holding: [lead]).first
  }

  /// A page of a run's chunks in the order of their numbers; hand-made ones have negative numbers and come first.
  public func audience(
    ofRun run: UUIDBytes, start: PageStart, limit: Int
  ) async throws -> ListPage<AudienceChunk> {
    try await page(
      ListQuery(
        collection: Collections.audienceChunks, filter: ["run_id": .uuid(run.bytes)], order: Store.audienceOrder,
        start: start, limit: limit)
    ) { try AudienceChunk(bson: $0) }
  }

  public static let audienceOrder = ListOrder(field: "sequence", ascending: true)

  /// Reads a run's whole frozen audience, chunk by chunk, and computes its fingerprint anew.
  public func checkAudience(of run: CampaignRun) async throws -> AudienceCheck {
    try await mongo.withConnection { connection in
      var computed: String?
      var (chunks, leads, manual): (Int64, Int64, Int64) = (0, 0, 0)
      try connection.find(
        Collections.audienceChunks, ["run_id": .uuid(run.id.bytes)],
        FindOptions(sort: ["sequence": 1], batchSize: 50)
      ) { document in
        let chunk = try AudienceChunk(bson: document)
        switch chunk.origin {
        case .manual: manual += Int64(chunk.leadIDs.count)
        case .rule:
          computed = AudienceHash.adding(chunk.leadIDs, to: computed)
          chunks += 1
          leads += Int64(chunk.leadIDs.count)
        }
        return .more
      }
      return AudienceCheck(
        recorded: run.audienceHash, computed: computed, chunks: chunks, leads: leads, manualLeads: manual,
        recordedLeads: run.audience, isFrozen: run.frozen)
    }
  }
}
