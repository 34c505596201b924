import BSON
import CRMCore
import CivilTime
import Crypto
import Mongo

extension Store {
  /// Runs whose freezing nobody drives: launched or freezing, without a valid lease, and still for some time.
  public func stalledLaunches(olderThanSeconds seconds: Int, limit: Int) async throws -> [CampaignRun] {
    try await mongo.withConnection { connection in
      try connection.findAll(
        Collections.campaignRuns,
        [
          "state": ["$in": [.string(RunState.launched.rawValue), .string(RunState.freezing.rawValue)]],
          "$expr": [
            "$and": [
              Store.olderThan("$updated_at", seconds: seconds),
              ["$lte": [["$ifNull": ["$lease.until", .date(milliseconds: 0)]], "$$NOW"]],
            ]
          ],
        ], limit: limit
      ).map { try CampaignRun(bson: $0) }
    }
  }

  /// Runs in a state, oldest first.
  public func runs(in states: [RunState], limit: Int) async throws -> [CampaignRun] {
    try await mongo.withConnection { connection in
      var options = FindOptions()
      options.sort = ["created_at": 1]
      options.limit = limit
      return try connection.findAll(
        Collections.campaignRuns, ["state": ["$in": .array(states.map { .string($0.rawValue) })]], options, limit: limit
      ).map { try CampaignRun(bson: $0) }
    }
  }

  /// Chunks of a run that are not settled and were neither published nor swept for some time; taking them marks them as
  /// swept now, so that replicas do not sweep the same ones.
  public func takeChunksToSweep(run: UUIDBytes, idleSeconds: Int, limit: Int) async throws -> [AudienceChunk] {
    try await mongo.withConnection { connection in
      var chunks: [AudienceChunk] = []
      while chunks.count < limit {
        let taken = try connection.findAndModify(
          Collections.audienceChunks,
          [
            "run_id": .uuid(run.bytes), "settled": ["$ne": true],
            "$expr": Store.olderThan("$published_at", seconds: idleSeconds),
          ],
          update: ["$currentDate": ["published_at": true]], returnNew: true, sort: ["sequence": 1])
        guard let taken else { break }
        chunks.append(try AudienceChunk(bson: taken))
      }
      return chunks
    }
  }

  /// What a sweep finds in an expanded chunk.
  public struct ChunkState: Sendable {
    /// Queued rows that nobody has claimed.
    public var queued: [SendJob] = []
    /// Claims whose lease ran out: nobody can know whether the vendor got the message.
    public var lapsed: [UUIDBytes] = []
    /// Rows that may still change without a receipt: queued, claimed, waiting for a retry.
    public var open = 0
  }

  /// Reads a chunk's rows that are queued or sending. A claim has lapsed when its lease has run out on MongoDB's clock and
  /// no retry is due.
  public func sweep(_ chunk: AudienceChunk, of run: CampaignRun, leaseSeconds: Int) async throws -> ChunkState {
    try await mongo.withConnection { connection in
      var state = ChunkState()
      let ids = chunk.leadIDs.map { BSONValue.uuid(SendID.make(run: run.id, lead: $0, channel: run.channel).bytes) }
      try connection.aggregate(
        Collections.communicationLogs,
        [
          [
            "$match": [
              "_id": ["$in": .array(ids)],
              "status": ["$in": [.string(SendStatus.queued.rawValue), .string(SendStatus.sending.rawValue)]],
            ]
          ],
          ["$set": ["lapsed": Store.olderThan("$sending_at", seconds: leaseSeconds)]],
        ]
      ) { row in
        state.open += 1
        if row["status"]?.stringValue == SendStatus.queued.rawValue {
          if row["retry_at"] == nil { state.queued.append(try Store.sendJob(row, attempt: 1)) }
        } else if row["lapsed"]?.boolValue == true, row["retry_at"] == nil,
          let id = row["_id"]?.uuidBytes.flatMap({ UUIDBytes(bytes: $0) })
        {
          state.lapsed.append(id)
        }
        return .more
      }
      return state
    }
  }

  #if FAILPOINTS
    /// The mistake that a claim whose lease ran out would be if it were sent again: only a seeded fault asks for it.
    public func requeue(_ sendIDs: [UUIDBytes]) async throws -> [SendJob] {
      guard !sendIDs.isEmpty else { return [] }
      return try await mongo.withConnection { connection in
        let filter: BSONDocument = [
          "_id": ["$in": .array(sendIDs.map { .uuid($0.bytes) })], "status": .string(SendStatus.sending.rawValue),
        ]
        let rows = try connection.findAll(Collections.communicationLogs, filter, limit: sendIDs.count)
        _ = try connection.updateMany(
          Collections.communicationLogs, filter,
          ["$set": ["status": .string(SendStatus.queued.rawValue), "rank": .int32(SendStatus.queued.rank)]])
        return try rows.map { try Store.sendJob($0, attempt: 1) }
      }
    }
  #endif

  /// Marks an expanded chunk in which no row is queued or sending any more; sweeps pass it by.
  public func settle(_ chunk: AudienceChunk) async throws {
    try await mongo.withConnection { connection in
      _ = try connection.updateOne(
        Collections.audienceChunks, ["_id": .objectID(chunk.id)], ["$set": ["settled": true]])
    }
  }

  /// Sends whose next attempt is due, as jobs; each is not due again for `holdSeconds`, so that a job that gets lost is
  /// published again and one that does not is not published twice.
  public func takeDueRetries(limit: Int, holdSeconds: Int) async throws -> [SendJob] {
    let fields = try await mongo.withConnection { connection in
      var jobs: [SendJob] = []
      var ids: [BSONValue] = []
      try connection.aggregate(
        Collections.communicationLogs,
        [
          ["$match": ["$expr": ["$lte": ["$retry_at", "$$NOW"]], "retry_at": ["$exists": true]]],
          ["$sort": ["retry_at": 1]], ["$limit": .int64(Int64(limit))],
        ], options: AggregateOptions(hint: "retry_due")
      ) { row in
        let attempt = Int32(clamping: row["attempt"]?.int64Value ?? 0) + 1
        jobs.append(try Store.sendJob(row, attempt: attempt))
        if let id = row["_id"] { ids.append(id) }
        return .more
      }
      guard !ids.isEmpty else { return jobs }
      _ = try connection.updateMany(
        Collections.communicationLogs, ["_id": ["$in": .array(ids)], "retry_at": ["$exists": true]],
        pipeline: [
          [
            "$set": [
              "retry_at": [
                "$dateAdd": ["startDate": "$$NOW", "unit": "second", "amount": .int64(Int64(holdSeconds))]
              ]
            ]
          ]
        ])
      return jobs
    }
    return fields
  }

  static func olderThan(_ field: BSONValue, seconds: Int) -> BSONValue {
    [
      "$lte": [
        field, ["$dateSubtract": ["startDate": "$$NOW", "unit": "second", "amount": .int64(Int64(seconds))]],
      ]
    ]
  }
}

extension Store {
  /// Cancelled runs of which something may still be queued or sending.
  public func cancelledRunsToDrain(limit: Int) async throws -> [CampaignRun] {
    try await mongo.withConnection { connection in
      try connection.findAll(
        Collections.campaignRuns, ["state": .string(RunState.cancelled.rawValue), "drained": ["$ne": true]],
        limit: limit
      ).map { try CampaignRun(bson: $0) }
    }
  }

  /// Nothing of this cancelled run can be sent any more.
  public func markDrained(_ run: UUIDBytes) async throws {
    try await mongo.withConnection { connection in
      _ = try connection.updateOne(
        Collections.campaignRuns, ["_id": .uuid(run.bytes)], ["$set": ["drained": true]])
    }
  }
}
