import BSON
import CRMCore
import CivilTime
import Crypto
import Mongo
import Runtime

/// The sends of a chunk that are still to be published: all of them the first time, those still queued afterwards.
public struct ExpandedChunk: Sendable {
  public let jobs: [SendJob]
  /// Rows this call inserted; 0 when the chunk had been expanded before.
  public let inserted: Int
  public let skipped: Int
}

extension Store {
  /// The chunk of a run's frozen audience that a chunk job names, if it is one exactly.
  public func chunk(run: UUIDBytes, leadIDs: [ObjectID]) async throws -> AudienceChunk? {
    guard let first = leadIDs.min() else { return nil }
    return try await mongo.withConnection { connection in
      try connection.findAll(
        Collections.audienceChunks, ["run_id": .uuid(run.bytes), "first_lead_id": .objectID(first)], limit: 100
      )
      .lazy.map { try AudienceChunk(bson: $0) }.first { $0.leadIDs == leadIDs }
    }
  }

  /// Writes the log rows of a chunk and moves its leads from pending, in one transaction; returns every send still to be
  /// published, those of an earlier expansion too.
  ///
  /// Rows and the chunk's mark are written together, so a chunk is expanded wholly or not at all, and a redelivered job
  /// finds either nothing or everything.
  /// - Parameter render: turns a lead into its message, or says why it is skipped. Called on a blocking thread.
  public func expand(
    _ chunk: AudienceChunk, of run: CampaignRun,
    render: @escaping @Sendable (Lead) -> LeadMessage
  ) async throws -> ExpandedChunk {
    let now = clock.now()
    let slot = slots.take()
    defer { slots.give(slot) }
    return try await mongo.withTransaction { connection in
      let claimed = try connection.updateOne(
        Collections.audienceChunks, ["_id": .objectID(chunk.id), "expanded": false],
        [
          "$set": ["expanded": true, "expanded_at": .date(milliseconds: now.milliseconds)],
          "$currentDate": ["ask_at": true],
        ])
      guard claimed.matched == 1 else {
        if isFaulty(.skipExpandedChunk) { return ExpandedChunk(jobs: [], inserted: 0, skipped: 0) }
        let waiting = try Store.queuedJobs(chunk.leadIDs, of: run, connection)
        return ExpandedChunk(jobs: waiting, inserted: 0, skipped: 0)
      }
      let leads = try Store.leads(chunk.leadIDs, connection)
      var rows: [BSONDocument] = []
      rows.reserveCapacity(chunk.leadIDs.count)
      var jobs: [SendJob] = []
      jobs.reserveCapacity(chunk.leadIDs.count)
      for id in chunk.leadIDs {
        let outcome = leads[id].map(render) ?? .skip(reason: "the lead was deleted after the audience was frozen")
        let sendID = SendID.make(run: run.id, lead: id, channel: run.channel)
        rows.append(Store.logRow(sendID, lead: id, of: run, outcome, at: now))
        if case .send(let to, let message) = outcome {
          jobs.append(
            SendJob(
              sendID: sendID, campaignID: run.campaignID, runID: run.id, leadID: id, channel: run.channel, to: to,
              message: message, attempt: 1))
        }
      }
      let result = try connection.insertMany(Collections.communicationLogs, rows, ordered: false)
      try result.throwIfFailed()
      var delta = CampaignStats()
      delta.pending = -Int64(rows.count)
      delta.queued = Int64(jobs.count)
      delta.skipped = Int64(rows.count - jobs.count)
      try RunStats.add(delta, run: run.id, slot: slot, connection)
      failpoint(.expandUncommitted)
      return ExpandedChunk(jobs: jobs, inserted: rows.count, skipped: rows.count - jobs.count)
    }
  }

  /// Appends leads to a run's audience as a chunk of origin `manual`, unless the run is over.
  ///
  /// Appends of one run come one after the other, since each changes the run's document first; leads that another one has
  /// brought in meanwhile are not appended again, so a record that is handled twice at once appends its leads once.
  /// - Returns: the hand-made chunks that hold these leads now; nil when the run is final, since its audience does not
  ///   change any more.
  public func appendChunk(run: UUIDBytes, leadIDs: [ObjectID]) async throws -> [AudienceChunk]? {
    let now = clock.now()
    let slot = slots.take()
    defer { slots.give(slot) }
    return try await mongo.withTransaction { connection in
      let touched = try connection.findAndModify(
        Collections.campaignRuns,
        [
          "_id": .uuid(run.bytes),
          "state": ["$in": .array(RunState.active.map { .string($0.rawValue) })],
        ],
        update: ["$inc": ["manual_chunks": 1], "$currentDate": ["updated_at": true]], returnNew: true)
      guard let touched else { return nil }
      let known = try Store.manualChunks(run, holding: leadIDs, connection)
      let covered = Set(known.flatMap(\.leadIDs))
      let added = leadIDs.filter { !covered.contains($0) }
      guard !added.isEmpty else { return known }
      // Manual chunks count downwards from -1, so that they never meet the walk's own numbers.
      let chunk = AudienceChunk(
        runID: run, sequence: -(touched["manual_chunks"]?.int64Value ?? 1), origin: .manual, leadIDs: added,
        createdAt: now)
      try connection.insertOne(Collections.audienceChunks, chunk.bson(), datedBy: "published_at")
      _ = try connection.updateOne(
        Collections.campaignRuns, ["_id": .uuid(run.bytes)], ["$inc": ["audience": .int64(Int64(added.count))]])
      var delta = CampaignStats()
      delta.audience = Int64(added.count)
      delta.pending = Int64(added.count)
      try RunStats.add(delta, run: run, slot: slot, connection)
      return known + [chunk]
    }
  }

  private static func manualChunks(
    _ run: UUIDBytes, holding leadIDs: [ObjectID], _ connection: MongoConnection
  ) throws -> [AudienceChunk] {
    try connection.findAll(
      Collections.audienceChunks,
      [
        "run_id": .uuid(run.bytes), "sequence": ["$lt": 0],
        "lead_ids": ["$in": .array(leadIDs.map { .objectID($0) })],
      ], limit: leadIDs.count
    ).map { try AudienceChunk(bson: $0) }
  }

  /// The chunks of a run's audience that hold some of these leads.
  public func chunks(run: UUIDBytes, holding leadIDs: [ObjectID]) async throws -> [AudienceChunk] {
    let wanted = Set(leadIDs)
    return try await mongo.withConnection { connection in
      var found: [ObjectID: AudienceChunk] = [:]
      func consider(_ document: BSONDocument) throws {
        let chunk = try AudienceChunk(bson: document)
        if chunk.leadIDs.contains(where: wanted.contains) { found[chunk.id] = chunk }
      }
      var options = FindOptions()
      options.sort = ["first_lead_id": -1]
      options.limit = 1
      var covered: ObjectID?
      for lead in wanted.sorted(by: >) {
        if let covered, lead >= covered { continue }
        let candidate = try connection.findOne(
          Collections.audienceChunks,
          [
            "run_id": .uuid(run.bytes), "first_lead_id": ["$lte": .objectID(lead)],
            "origin": .string(AudienceChunk.Origin.rule.rawValue),
          ], options)
        guard let candidate else { break }
        covered = candidate["first_lead_id"]?.objectIDValue
        try consider(candidate)
      }
      try connection.find(
        Collections.audienceChunks,
        [
          "run_id": .uuid(run.bytes), "sequence": ["$lt": 0],
          "lead_ids": ["$in": .array(wanted.map { .objectID($0) })],
        ]
      ) { document in
        try consider(document)
        return .more
      }
      return Array(found.values)
    }
  }

  /// Which of these leads exist.
  public func existingLeads(_ ids: [ObjectID]) async throws -> Set<ObjectID> {
    try await mongo.withConnection { connection in
      var options = FindOptions()
      options.projection = ["_id": 1]
      let found = try connection.findAll(
        Collections.leads, ["_id": ["$in": .array(ids.map { .objectID($0) })]], options, limit: ids.count)
      return Set(found.compactMap { $0["_id"]?.objectIDValue })
    }
  }

  /// Ends the rows of a cancelled run's chunk that have not been claimed: they become CANCELLED.
  public func cancel(_ chunk: AudienceChunk, of run: CampaignRun) async throws {
    let now = clock.now()
    let slot = slots.take()
    defer { slots.give(slot) }
    try await mongo.withTransaction { connection in
      let claimed = try connection.updateOne(
        Collections.audienceChunks, ["_id": .objectID(chunk.id), "expanded": false],
        ["$set": ["expanded": true, "settled": true, "expanded_at": .date(milliseconds: now.milliseconds)]])
      var delta = CampaignStats()
      if claimed.matched == 1 {
        let rows = chunk.leadIDs.map { id in
          Store.cancelledRow(SendID.make(run: run.id, lead: id, channel: run.channel), lead: id, of: run, at: now)
        }
        let result = try connection.insertMany(Collections.communicationLogs, rows, ordered: false)
        try result.throwIfFailed()
        delta.pending = -Int64(rows.count)
        delta.cancelled = Int64(rows.count)
      } else {
        let ids = BSONValue.array(
          chunk.leadIDs.map { .uuid(SendID.make(run: run.id, lead: $0, channel: run.channel).bytes) })
        let cancelled: BSONDocument = [
          "$set": [
            "status": .string(SendStatus.cancelled.rawValue), "rank": .int32(SendStatus.cancelled.rank),
            "cancelled_at": .date(milliseconds: now.milliseconds), "updated_at": .date(milliseconds: now.milliseconds),
          ],
          "$unset": ["retry_at": ""],
        ]
        let queued = try connection.updateMany(
          Collections.communicationLogs,
          ["_id": ["$in": ids], "status": .string(SendStatus.queued.rawValue)], cancelled)
        let waiting = try connection.updateMany(
          Collections.communicationLogs,
          ["_id": ["$in": ids], "status": .string(SendStatus.sending.rawValue), "retry_at": ["$exists": true]],
          cancelled)
        delta.queued = -Int64(queued.modified)
        delta.sending = -Int64(waiting.modified)
        delta.cancelled = Int64(queued.modified + waiting.modified)
      }
      try RunStats.add(delta, run: run.id, slot: slot, connection)
    }
  }

  /// The chunks of a run in their order, a page at a time.
  public func chunks(run: UUIDBytes, afterSequence sequence: Int64?, limit: Int) async throws -> [AudienceChunk] {
    try await mongo.withConnection { connection in
      var filter: BSONDocument = ["run_id": .uuid(run.bytes)]
      if let sequence { filter.append("sequence", ["$gt": .int64(sequence)]) }
      var options = FindOptions()
      options.sort = ["sequence": 1]
      options.limit = limit
      return try connection.findAll(Collections.audienceChunks, filter, options, limit: limit)
        .map { try AudienceChunk(bson: $0) }
    }
  }

  // MARK: Rows

  private static func leads(_ ids: [ObjectID], _ connection: MongoConnection) throws -> [ObjectID: Lead] {
    var leads: [ObjectID: Lead] = [:]
    leads.reserveCapacity(ids.count)
    try connection.find(Collections.leads, ["_id": ["$in": .array(ids.map { .objectID($0) })]]) { document in
      let lead = try Lead(bson: document)
      leads[lead.id] = lead
      return .more
    }
    return leads
  }

  /// The jobs of rows that were queued before and that nobody has claimed.
  private static func queuedJobs(
    _ leadIDs: [ObjectID], of run: CampaignRun, _ connection: MongoConnection
  ) throws -> [SendJob] {
    let ids = leadIDs.map { BSONValue.uuid(SendID.make(run: run.id, lead: $0, channel: run.channel).bytes) }
    var jobs: [SendJob] = []
    try connection.find(
      Collections.communicationLogs,
      ["_id": ["$in": .array(ids)], "status": .string(SendStatus.queued.rawValue)]
    ) { row in
      jobs.append(try Store.sendJob(row, attempt: 1))
      return .more
    }
    return jobs
  }

  /// The send job of a stored row.
  static func sendJob(_ row: BSONDocument, attempt: Int32) throws -> SendJob {
    guard let id = row["_id"]?.uuidBytes.flatMap({ UUIDBytes(bytes: $0) }),
      let campaign = row["campaign_id"]?.objectIDValue,
      let run = row["run_id"]?.uuidBytes.flatMap({ UUIDBytes(bytes: $0) }), let lead = row["lead_id"]?.objectIDValue,
      let channel = row["channel"]?.stringValue.flatMap(Channel.init(rawValue:)),
      let to = row["to"]?.stringValue, let message = row["message"]?.stringValue
    else { throw DocumentError(collection: Collections.communicationLogs, document: row) }
    return SendJob(
      sendID: id, campaignID: campaign, runID: run, leadID: lead, channel: channel, to: to, message: message,
      attempt: attempt)
  }

  private static func logRow(
    _ id: UUIDBytes, lead: ObjectID, of run: CampaignRun, _ outcome: LeadMessage, at now: Timestamp
  ) -> BSONDocument {
    var row = rowHead(id, lead: lead, of: run)
    switch outcome {
    case .send(let to, let message):
      row.append("to", to)
      row.append("message", message)
      row.append("status", SendStatus.queued.rawValue)
      row.append("rank", SendStatus.queued.rank)
      row.append("attempt", Int32(0))
      row.appendDate("queued_at", milliseconds: now.milliseconds)
    case .skip(let reason):
      row.append("status", SendStatus.skipped.rawValue)
      row.append("rank", SendStatus.skipped.rank)
      row.append("attempt", Int32(0))
      row.appendDocument("error") { error in
        error.append("class", "skipped")
        error.append("message", reason)
      }
      row.appendDate("skipped_at", milliseconds: now.milliseconds)
    }
    row.appendDate("updated_at", milliseconds: now.milliseconds)
    return row
  }

  private static func cancelledRow(
    _ id: UUIDBytes, lead: ObjectID, of run: CampaignRun, at now: Timestamp
  ) -> BSONDocument {
    var row = rowHead(id, lead: lead, of: run)
    row.append("status", SendStatus.cancelled.rawValue)
    row.append("rank", SendStatus.cancelled.rank)
    row.append("attempt", Int32(0))
    row.appendDate("cancelled_at", milliseconds: now.milliseconds)
    row.appendDate("updated_at", milliseconds: now.milliseconds)
    return row
  }

  private static func rowHead(_ id: UUIDBytes, lead: ObjectID, of run: CampaignRun) -> BSONDocument {
    var row = BSONDocument(capacity: 384)
    row.appendUUID("_id", id.bytes)
    row.append("campaign_id", run.campaignID)
    row.appendUUID("run_id", run.id.bytes)
    row.append("lead_id", lead)
    row.append("channel", run.channel.rawValue)
    return row
  }
}
