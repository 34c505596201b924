import BSON
import CRMCore
import CivilTime
import Crypto
import Mongo
import Runtime

/// The exclusive right to freeze a run's audience, for a while.
///
/// The fence grows with each holder; a write under an older fence changes nothing.
public struct FreezeLease: Sendable {
  public let run: CampaignRun
  public let fence: Int64
  /// The last lead that may belong to the audience: the newest one when the freezing began.
  public let upperBound: ObjectID?
}

/// The lease went to another worker, or the run was paused or ended: stop freezing.
public struct FreezeInterrupted: Error {}

extension Store {
  /// Takes the right to freeze a run that nobody freezes now. The server's clock decides when a lease has run out.
  ///
  /// - Returns: nil when another worker holds the lease, or when there is nothing to freeze.
  public func leaseFreeze(_ runID: UUIDBytes, owner: String, seconds: Int) async throws -> FreezeLease? {
    try await mongo.withConnection { connection in
      let until: BSONValue = ["$dateAdd": ["startDate": "$$NOW", "unit": "second", "amount": .int64(Int64(seconds))]]
      let free: BSONValue = ["$lte": [["$ifNull": ["$lease.until", .date(milliseconds: 0)]], "$$NOW"]]
      let leased = try connection.findAndModify(
        Collections.campaignRuns,
        [
          "_id": .uuid(runID.bytes), "frozen": false,
          "state": ["$in": .array(RunState.allowing(.freeze).map { .string($0.rawValue) })],
          "$expr": ["$or": [free, ["$eq": ["$lease.owner", .string(owner)]]]],
        ],
        pipeline: [
          [
            "$set": [
              "state": .string(RunState.freezing.rawValue),
              "lease": [
                "owner": .string(owner), "until": until,
                "fence": ["$add": [["$ifNull": ["$lease.fence", 0]], 1]],
              ],
              "updated_at": "$$NOW",
            ]
          ]
        ], returnNew: true)
      guard let leased else { return nil }
      let run = try CampaignRun(bson: leased)
      let fence = leased["lease"]?["fence"]?.int64Value ?? 0
      if let bound = leased["upper_bound"] {
        return FreezeLease(run: run, fence: fence, upperBound: bound.objectIDValue)
      }
      return FreezeLease(run: run, fence: fence, upperBound: try Store.fixUpperBound(runID, fence, connection))
    }
  }

  /// Leads that are added while an audience is frozen do not belong to it: the newest lead of now ends the walk.
  private static func fixUpperBound(
    _ runID: UUIDBytes, _ fence: Int64, _ connection: MongoConnection
  ) throws -> ObjectID? {
    var options = FindOptions()
    options.sort = ["_id": -1]
    options.projection = ["_id": 1]
    let newest = try connection.findOne(Collections.leads, [:], options)?["_id"]?.objectIDValue
    let result = try connection.updateOne(
      Collections.campaignRuns, ["_id": .uuid(runID.bytes), "lease.fence": .int64(fence)],
      ["$set": ["upper_bound": newest.map { .objectID($0) } ?? .null]])
    guard result.matched == 1 else { throw FreezeInterrupted() }
    return newest
  }

  /// The next leads of an audience in `_id` order: at most `limit` ids above `cursor` and up to `upperBound`.
  ///
  /// The walk always uses the `_id` index: a page then costs what lies between two matches, and all pages together one
  /// pass over the leads, whatever other indexes the rule could use.
  public func audiencePage(
    matching rule: BSONDocument, after cursor: ObjectID?, upTo upperBound: ObjectID, limit: Int
  ) async throws -> [ObjectID] {
    try await mongo.withConnection { connection in
      var range: BSONDocument = ["$lte": .objectID(upperBound)]
      if let cursor { range.append("$gt", cursor) }
      var options = FindOptions()
      options.sort = ["_id": 1]
      options.projection = ["_id": 1]
      options.hint = ["_id": 1]
      options.limit = limit
      let filter: BSONDocument = ["$and": [["_id": .document(range)], .document(rule)]]
      return try connection.findAll(Collections.leads, filter, options, limit: limit)
        .compactMap { $0["_id"]?.objectIDValue }
    }
  }

  /// Writes one chunk of the frozen audience with the cursor, the hash and the counters, in one transaction.
  ///
  /// - Throws: `FreezeInterrupted` when the lease is no longer ours or the run may not go on.
  public func freezeChunk(
    _ lease: FreezeLease, sequence: Int64, leadIDs: [ObjectID], hash: String, leaseSeconds: Int
  ) async throws {
    let now = clock.now()
    let chunk = AudienceChunk(
      runID: lease.run.id, sequence: sequence, origin: .rule, leadIDs: leadIDs, createdAt: now)
    let slot = slots.take()
    defer { slots.give(slot) }
    try await mongo.withTransaction { connection in
      let until: BSONValue = [
        "$dateAdd": ["startDate": "$$NOW", "unit": "second", "amount": .int64(Int64(leaseSeconds))]
      ]
      let moved = try connection.updateOne(
        Collections.campaignRuns, Store.heldBy(lease),
        pipeline: [
          [
            "$set": [
              "cursor": .objectID(leadIDs[leadIDs.count - 1]), "chunks": .int64(sequence + 1),
              "audience": ["$add": ["$audience", .int64(Int64(leadIDs.count))]], "audience_hash": .string(hash),
              "lease.until": until, "updated_at": "$$NOW",
            ]
          ]
        ])
      guard moved.matched == 1 else { throw FreezeInterrupted() }
      try connection.insertOne(Collections.audienceChunks, chunk.bson(), datedBy: "published_at")
      var delta = CampaignStats()
      delta.audience = Int64(leadIDs.count)
      delta.pending = Int64(leadIDs.count)
      try RunStats.add(delta, run: lease.run.id, slot: slot, connection)
      failpoint(.freezeUncommitted)
    }
  }

  /// Marks the audience as complete: from here on it never changes.
  public func finishFreeze(_ lease: FreezeLease) async throws {
    try await mongo.withConnection { connection in
      let finished = try connection.updateOne(
        Collections.campaignRuns, Store.heldBy(lease),
        [
          "$set": ["frozen": true, "state": .string(RunState.running.rawValue)], "$unset": ["lease": ""],
          "$currentDate": ["frozen_at": true, "updated_at": true],
        ])
      guard finished.matched == 1 else { throw FreezeInterrupted() }
    }
  }

  private static func heldBy(_ lease: FreezeLease) -> BSONDocument {
    [
      "_id": .uuid(lease.run.id.bytes), "state": .string(RunState.freezing.rawValue),
      "lease.fence": .int64(lease.fence),
    ]
  }
}
