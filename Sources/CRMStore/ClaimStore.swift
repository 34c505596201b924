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

  public init(sendID: UUIDBytes, notBefore: Timestamp) {
    self.sendID = sendID
    self.notBefore = notBefore
  }
}

extension Store {
  /// Claims many sends durably before their vendor calls, in one transaction with the counters they move.
  ///
  /// A send can be claimed when its run may send and it is queued, or waits for the attempt that the job names. All others
  /// belong to somebody else, are done, or may not be sent: their jobs are finished without a call.
  /// - Parameter jobs: at most 1,000, each send once.
  public func claim(_ jobs: [SendJob], owner: String) async throws -> ClaimResult {
    let fence = UUIDBytes()
    guard !jobs.isEmpty else { return ClaimResult(claimed: [], fence: fence) }
    let slot = slots.take()
    defer { slots.give(slot) }
    return try await mongo.withTransaction { connection in
      let sending = try Store.runsThatSend(Set(jobs.map(\.runID)), connection)
      let eligible = jobs.filter { sending.contains($0.runID) }
      let first = eligible.filter { $0.attempt <= 1 }
      let claimedFirst = try Store.claimQueued(first, owner: owner, fence: fence, slot: slot, connection)
      let again = eligible.filter { $0.attempt > 1 }
      let claimedAgain = try Store.claimRetries(again, owner: owner, fence: fence, connection)
      failpoint(.claimUncommitted)
      return ClaimResult(claimed: claimedFirst.union(claimedAgain), fence: fence)
    }
  }

  private static func runsThatSend(_ runs: Set<UUIDBytes>, _ connection: MongoConnection) throws -> Set<UUIDBytes> {
    var options = FindOptions()
    options.projection = ["_id": 1]
    let sending = [RunState.launched, .freezing, .running].map { BSONValue.string($0.rawValue) }
    let found = try connection.findAll(
      Collections.campaignRuns,
      ["_id": ["$in": .array(runs.map { .uuid($0.bytes) })], "state": ["$in": .array(sending)]], options,
      limit: runs.count)
    return Set(found.compactMap { $0["_id"]?.uuidBytes.flatMap { UUIDBytes(bytes: $0) } })
  }

  private static func claimQueued(
    _ jobs: [SendJob], owner: String, fence: UUIDBytes, slot: Int, _ connection: MongoConnection
  ) throws -> Set<UUIDBytes> {
    guard !jobs.isEmpty else { return [] }
    let ids = jobs.map { BSONValue.uuid($0.sendID.bytes) }
    let isQueued: BSONDocument = ["_id": ["$in": .array(ids)], "status": .string(SendStatus.queued.rawValue)]
    let result = try connection.updateMany(
      Collections.communicationLogs,
      isFaulty(.claimWithoutCompare) ? ["_id": ["$in": .array(ids)]] : isQueued,
      [
        "$set": [
          "status": .string(SendStatus.sending.rawValue), "rank": .int32(SendStatus.sending.rank),
          "attempt": .int32(1), "lease": ["owner": .string(owner), "fence": .uuid(fence.bytes)],
        ],
        "$unset": ["retry_at": ""], "$currentDate": ["sending_at": true],
      ])
    let claimed = try held(jobs, modified: result.modified, fence: fence, connection)
    try countSending(jobs.filter { claimed.contains($0.sendID) }, slot: slot, connection)
    return claimed
  }

  /// A send that waits for its next attempt keeps its status: the retry cycle lives in fields of its own.
  private static func claimRetries(
    _ jobs: [SendJob], owner: String, fence: UUIDBytes, _ connection: MongoConnection
  ) throws -> Set<UUIDBytes> {
    var claimed: Set<UUIDBytes> = []
    for (attempt, group) in Dictionary(grouping: jobs, by: \.attempt) {
      let result = try connection.updateMany(
        Collections.communicationLogs,
        [
          "_id": ["$in": .array(group.map { .uuid($0.sendID.bytes) })],
          "status": ["$in": [.string(SendStatus.sending.rawValue), .string(SendStatus.unknown.rawValue)]],
          "retry_at": ["$exists": true], "attempt": .int32(attempt - 1),
        ],
        [
          "$set": [
            "attempt": .int32(attempt), "lease": ["owner": .string(owner), "fence": .uuid(fence.bytes)],
          ],
          "$unset": ["retry_at": ""], "$currentDate": ["sending_at": true],
        ])
      claimed.formUnion(try held(group, modified: result.modified, fence: fence, connection))
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

  /// States in which a send may wait for an attempt.
  private static let unsettled: [BSONValue] = [SendStatus.queued, .sending, .unknown].map { .string($0.rawValue) }

  /// Stores when each of our claimed sends may be tried again, and lets go of the claims.
  ///
  /// A send that has meanwhile got an outcome or another holder is left alone.
  public func scheduleRetries(_ retries: [Retry], fence: UUIDBytes) async throws {
    guard !retries.isEmpty else { return }
    try await mongo.withConnection { connection in
      let writes = retries.map { retry in
        WriteModel.updateOne(
          filter: [
            "_id": .uuid(retry.sendID.bytes), "lease.fence": .uuid(fence.bytes),
            "status": ["$in": .array(Store.unsettled)],
          ],
          update: [
            "$set": ["retry_at": .date(milliseconds: retry.notBefore.milliseconds)], "$unset": ["lease": ""],
          ])
      }
      let result = try connection.bulkWrite(Collections.communicationLogs, writes, ordered: false)
      try result.throwIfFailed()
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
          ],
          update: ["$set": ["retry_at": .date(milliseconds: send.notBefore.milliseconds)]])
      }
      let result = try connection.bulkWrite(Collections.communicationLogs, writes, ordered: false)
      try result.throwIfFailed()
    }
  }
}
