import BSON
import CRMCore
import CivilTime
import Crypto
import Mongo
import Runtime

/// What a batch of claims came to.
public struct ClaimResult: Sendable {
  /// Sends that are now ours alone to make, until the lease runs out.
  public let claimed: Set<UUIDBytes>
  /// Names the batch; later writes of the holder carry it.
  public let fence: UUIDBytes
}

/// A send to be tried again later.
public struct Retry: Sendable {
  public let sendID: UUIDBytes
  public let notBefore: Timestamp
  /// The vendor that the next attempt should go to; nil: as the claim had it.
  public let vendor: String?
  /// A call's outcome is unknown, so that the send must not go to another vendor.
  public let isAmbiguous: Bool

  public init(sendID: UUIDBytes, notBefore: Timestamp, vendor: String? = nil, isAmbiguous: Bool = false) {
    self.sendID = sendID
    self.notBefore = notBefore
    self.vendor = vendor
    self.isAmbiguous = isAmbiguous
  }
}

extension Store {
  /// Claims many sends durably before their vendor calls, in one transaction with the counters they move.
  ///
  /// A send can be claimed when its run may send and it is queued, or waits for the attempt that the job names. One that
  /// is UNKNOWN and waits can be claimed of a completed run, too: it is no longer in flight. All others belong to
  /// somebody else, are done, or may not be sent: their jobs are finished without a call.
  /// - Parameters:
  ///   - jobs: at most 1,000, each send once.
  ///   - vendor: that is about to be called; whoever must ask later what became of the call finds its name in the row.
  public func claim(_ jobs: [SendJob], owner: String, vendor: String? = nil) async throws -> ClaimResult {
    let fence = UUIDBytes()
    guard !jobs.isEmpty else { return ClaimResult(claimed: [], fence: fence) }
    let slot = slots.take()
    defer { slots.give(slot) }
    let mark = ClaimMark(owner: owner, fence: fence, vendor: vendor)
    return try await mongo.withTransaction { connection in
      let states = try Store.runStates(Set(jobs.map(\.runID)), connection)
      let eligible = jobs.filter { states[$0.runID]?.sends == true }
      var claimed = try Store.claimQueued(eligible.filter { $0.attempt <= 1 }, mark, slot: slot, connection)
      let waiting = eligible.filter { !claimed.contains($0.sendID) }
      claimed.formUnion(try Store.claimWaiting(waiting, .sending, mark, connection))
      let undecided = jobs.filter { states[$0.runID]?.resends == true && !claimed.contains($0.sendID) }
      claimed.formUnion(
        try Store.claimWaiting(undecided.filter { $0.attempt > 1 }, .unknown, mark, connection))
      failpoint(.claimUncommitted)
      return ClaimResult(claimed: claimed, fence: fence)
    }
  }

  /// What a claim writes into its rows.
  private struct ClaimMark: Sendable {
    let owner: String
    let fence: UUIDBytes
    let vendor: String?

    func fields(attempt: Int32) -> BSONDocument {
      var fields: BSONDocument = [
        "attempt": .int32(attempt), "lease": ["owner": .string(owner), "fence": .uuid(fence.bytes)],
      ]
      if let vendor { fields.append("route.vendor", vendor) }
      return fields
    }
  }

  private static func runStates(
    _ runs: Set<UUIDBytes>, _ connection: MongoConnection
  ) throws -> [UUIDBytes: RunState] {
    var states: [UUIDBytes: RunState] = [:]
    try connection.find(
      Collections.campaignRuns, ["_id": ["$in": .array(runs.map { .uuid($0.bytes) })]],
      FindOptions(projection: ["state": 1])
    ) { run in
      if let id = run["_id"]?.uuidBytes.flatMap({ UUIDBytes(bytes: $0) }),
        let state = run["state"]?.stringValue.flatMap(RunState.init(rawValue:))
      {
        states[id] = state
      }
      return .more
    }
    return states
  }

  /// The state of each of these runs, as it is now. Unknown runs are left out.
  public func runStates(_ runs: Set<UUIDBytes>) async throws -> [UUIDBytes: RunState] {
    try await mongo.withConnection { try Store.runStates(runs, $0) }
  }

  private static func claimQueued(
    _ jobs: [SendJob], _ mark: ClaimMark, slot: Int, _ connection: MongoConnection
  ) throws -> Set<UUIDBytes> {
    guard !jobs.isEmpty else { return [] }
    let ids = jobs.map { BSONValue.uuid($0.sendID.bytes) }
    var fields: BSONDocument = [
      "status": .string(SendStatus.sending.rawValue), "rank": .int32(SendStatus.sending.rank),
    ]
    fields.append(contentsOf: mark.fields(attempt: 1))
    let isQueued: BSONDocument = ["_id": ["$in": .array(ids)], "status": .string(SendStatus.queued.rawValue)]
    let result = try connection.updateMany(
      Collections.communicationLogs,
      isFaulty(.claimWithoutCompare) ? ["_id": ["$in": .array(ids)]] : isQueued,
      ["$set": .document(fields), "$unset": ["retry_at": ""], "$currentDate": ["sending_at": true]])
    let claimed = try held(jobs, modified: result.modified, fence: mark.fence, connection)
    try countSending(jobs.filter { claimed.contains($0.sendID) }, slot: slot, connection)
    return claimed
  }

  /// A send that waits for its next attempt keeps its status: the retry cycle lives in fields of its own. An UNKNOWN one
  /// that is called again is asked about, and waits for its deadline, from this call on.
  private static func claimWaiting(
    _ jobs: [SendJob], _ status: SendStatus, _ mark: ClaimMark, _ connection: MongoConnection
  ) throws -> Set<UUIDBytes> {
    var claimed: Set<UUIDBytes> = []
    for (attempt, group) in Dictionary(grouping: jobs, by: { max(1, $0.attempt) }) {
      var fields = mark.fields(attempt: attempt)
      var dates: BSONDocument = ["sending_at": true]
      if status == .unknown {
        fields.append("asked", Int32(0))
        dates.append("unknown_since", true)
        dates.append("ask_at", true)
      }
      let result = try connection.updateMany(
        Collections.communicationLogs,
        [
          "_id": ["$in": .array(group.map { .uuid($0.sendID.bytes) })], "status": .string(status.rawValue),
          "retry_at": ["$exists": true], "attempt": .int32(attempt - 1),
        ],
        ["$set": .document(fields), "$unset": ["retry_at": ""], "$currentDate": .document(dates)])
      claimed.formUnion(try held(group, modified: result.modified, fence: mark.fence, connection))
    }
    return claimed
  }

  /// Which of the jobs the update took; asked of the server only when it did not take all.
  private static func held(
    _ jobs: [SendJob], modified: Int, fence: UUIDBytes, _ connection: MongoConnection
  ) throws -> Set<UUIDBytes> {
    if modified == jobs.count { return Set(jobs.map(\.sendID)) }
    if modified == 0 { return [] }
    var options = FindOptions()
    options.projection = ["_id": 1]
    let found = try connection.findAll(
      Collections.communicationLogs,
      ["_id": ["$in": .array(jobs.map { .uuid($0.sendID.bytes) })], "lease.fence": .uuid(fence.bytes)], options,
      limit: jobs.count)
    return Set(found.compactMap { $0["_id"]?.uuidBytes.flatMap { UUIDBytes(bytes: $0) } })
  }

  private static func countSending(_ jobs: [SendJob], slot: Int, _ connection: MongoConnection) throws {
    for (run, group) in Dictionary(grouping: jobs, by: \.runID) {
      var delta = CampaignStats()
      delta.queued = -Int64(group.count)
      delta.sending = Int64(group.count)
      try RunStats.add(delta, run: run, slot: slot, connection)
    }
  }
}

extension Store {
  /// States in which a send may wait for an attempt.
  private static let unsettled: [BSONValue] = [SendStatus.queued, .sending, .unknown].map { .string($0.rawValue) }

  private static func heldFilter(_ sendID: UUIDBytes, fence: UUIDBytes) -> BSONDocument {
    [
      "_id": .uuid(sendID.bytes), "lease.fence": .uuid(fence.bytes), "status": ["$in": .array(Store.unsettled)],
    ]
  }

  /// Stores when each of our claimed sends may be tried again, and where, and lets go of the claims.
  ///
  /// A send that has meanwhile got an outcome or another holder is left alone.
  public func scheduleRetries(_ retries: [Retry], fence: UUIDBytes) async throws {
    guard !retries.isEmpty else { return }
    try await mongo.withConnection { connection in
      let writes = retries.map { retry in
        var fields: BSONDocument = ["retry_at": .date(milliseconds: retry.notBefore.milliseconds)]
        if let vendor = retry.vendor { fields.append("route.vendor", ["$literal": .string(vendor)]) }
        // The first ambiguous call counts: the vendor's keys live from there.
        if retry.isAmbiguous {
          fields.append("route.ambiguous_since", ["$ifNull": ["$route.ambiguous_since", "$$NOW"]])
        }
        return WriteModel.updateOnePipeline(
          filter: Store.heldFilter(retry.sendID, fence: fence),
          pipeline: [["$set": .document(fields)], ["$unset": "lease"]])
      }
      let result = try connection.bulkWrite(Collections.communicationLogs, writes, ordered: false)
      try result.throwIfFailed()
    }
  }

  /// Lets go of claimed sends for which no vendor was called: they are due again at once, and the attempt is not used up.
  public func release(_ sends: [UUIDBytes], fence: UUIDBytes) async throws {
    guard !sends.isEmpty else { return }
    try await mongo.withConnection { connection in
      _ = try connection.updateMany(
        Collections.communicationLogs,
        [
          "_id": ["$in": .array(sends.map { .uuid($0.bytes) })], "lease.fence": .uuid(fence.bytes),
          "status": ["$in": .array(Store.unsettled)],
        ],
        ["$inc": ["attempt": .int32(-1)], "$unset": ["lease": ""], "$currentDate": ["retry_at": true]])
    }
  }

  /// Which of these sends wait for the attempt that their job names, with what their earlier calls came to.
  public func waitingSends(_ jobs: [SendJob]) async throws -> [UUIDBytes: SendRoute] {
    guard !jobs.isEmpty else { return [:] }
    let attempts = Dictionary(jobs.map { ($0.sendID, Int64($0.attempt)) }, uniquingKeysWith: { $1 })
    return try await mongo.withConnection { connection in
      var routes: [UUIDBytes: SendRoute] = [:]
      try connection.aggregate(
        Collections.communicationLogs,
        [
          [
            "$match": [
              "_id": ["$in": .array(attempts.keys.map { .uuid($0.bytes) })],
              "status": ["$in": .array(Store.unsettled)], "retry_at": ["$exists": true],
            ]
          ],
          [
            "$project": [
              "status": 1, "attempt": 1, "cycle_base": 1, "vendor": "$route.vendor",
              "ambiguous_ms": ["$subtract": ["$$NOW", "$route.ambiguous_since"]],
            ]
          ],
        ]
      ) { row in
        guard let id = row["_id"]?.uuidBytes.flatMap({ UUIDBytes(bytes: $0) }),
          let attempt = row["attempt"]?.int64Value, attempts[id] == attempt + 1
        else { return .more }
        routes[id] = SendRoute(
          vendor: row["vendor"]?.stringValue,
          calls: Int32(clamping: max(0, attempt - (row["cycle_base"]?.int64Value ?? 0))),
          ambiguousFor: row["ambiguous_ms"]?.int64Value.map { .milliseconds(max(0, $0)) },
          isResend: row["status"]?.stringValue == SendStatus.unknown.rawValue)
        return .more
      }
      return routes
    }
  }

  /// Stores a not-before time for sends that are queued and that nobody may make now; a sweep publishes them again when it
  /// has come.
  public func deferQueued(_ sends: [Retry]) async throws {
    guard !sends.isEmpty else { return }
    try await mongo.withConnection { connection in
      let writes = sends.map { send in
        WriteModel.updateOne(
          filter: [
            "_id": .uuid(send.sendID.bytes), "status": ["$in": .array(Store.unsettled)],
            "lease": ["$exists": false],
            // A late job of a send that is UNKNOWN, or was let go by a lapse, must not have it called again.
            "$or": [["status": .string(SendStatus.queued.rawValue)], ["retry_at": ["$exists": true]]],
          ],
          update: ["$set": ["retry_at": .date(milliseconds: send.notBefore.milliseconds)]])
      }
      let result = try connection.bulkWrite(Collections.communicationLogs, writes, ordered: false)
      try result.throwIfFailed()
    }
  }
}
