import BSON
import CRMCore
import CivilTime
import Crypto
import Mongo
import Runtime

/// What a merge came to.
public struct MergeReport: Sendable {
  /// Runs of which a row changed.
  public var runs: Set<UUIDBytes> = []
  /// Evidence against the expected order, by kind.
  public var anomalies: [String: Int] = [:]
  /// Rows that changed.
  public var changed = 0
  /// Counters that a seeded fault has kept out of the transaction.
  var uncounted: [UUIDBytes: CampaignStats] = [:]
}

extension Store {
  /// Merges what is known of many sends into their rows, and moves the counters, in one transaction.
  ///
  /// Each row takes the maximum over the order of states, so the same evidence may come twice and in any order. Evidence
  /// of a send that is not in the log is parked. Concurrent merges of one row conflict, and one of them runs again.
  public func merge(_ events: [UUIDBytes: [SendEvent]]) async throws -> MergeReport {
    guard !events.isEmpty else { return MergeReport() }
    let now = clock.now()
    let slot = slots.take()
    defer { slots.give(slot) }
    let report = try await mongo.withTransaction { connection in
      var (report, found) = try Store.apply(events, at: now, slot: slot, connection)
      let unmatched = events.filter { !found.contains($0.key) }
      if !unmatched.isEmpty {
        report.anomalies["unmatched"] = try Store.park(unmatched, at: now, connection)
      }
      if report.changed > 0, !isFaulty(.statisticsOutsideTransaction) { failpoint(.mergeUncommitted) }
      return report
    }
    failpoint(.mergeCommitted)
    for (run, delta) in report.uncounted {
      try await mongo.withConnection { try RunStats.add(delta, run: run, slot: slot, $0) }
    }
    return report
  }

  /// Merges within a transaction. Evidence of a test send changes its row and nothing else.
  ///
  /// - Returns: what came of it, and the sends that have a row.
  static func apply(
    _ events: [UUIDBytes: [SendEvent]], at now: Timestamp, slot: Int, _ connection: MongoConnection
  ) throws -> (report: MergeReport, found: Set<UUIDBytes>) {
    var report = MergeReport()
    var deltas: [UUIDBytes: CampaignStats] = [:]
    var writes: [WriteModel] = []
    writes.reserveCapacity(events.count)
    var found: Set<UUIDBytes> = []
    found.reserveCapacity(events.count)
    var options = FindOptions()
    options.projection = ["to": 0, "message": 0]
    try connection.find(
      Collections.communicationLogs,
      ["_id": ["$in": .array(events.keys.map { .uuid($0.bytes) })]], options
    ) { row in
      guard let id = row["_id"]?.uuidBytes.flatMap({ UUIDBytes(bytes: $0) }), let told = events[id],
        let run = row["run_id"]?.uuidBytes.flatMap({ UUIDBytes(bytes: $0) })
      else { throw DocumentError(collection: Collections.communicationLogs, document: row) }
      found.insert(id)
      let before = try SendState(bson: row)
      let (after, anomalies) = before.merge(told)
      for anomaly in anomalies { report.anomalies[anomaly.kind.rawValue, default: 0] += 1 }
      guard after != before else { return .more }
      writes.append(
        .updateOne(filter: ["_id": .uuid(id.bytes)], update: Store.update(row, from: before, to: after, at: now)))
      if before.status != after.status {
        deltas[run, default: CampaignStats()].move(from: before.status, to: after.status)
      }
      report.runs.insert(run)
      return .more
    }
    let strangers = events.filter { !found.contains($0.key) }
    if !strangers.isEmpty { found.formUnion(try mergeIntoTests(strangers, at: now, connection)) }
    guard !writes.isEmpty else { return (report, found) }
    let result = try connection.bulkWrite(Collections.communicationLogs, writes, ordered: false)
    try result.throwIfFailed()
    report.changed = writes.count
    if isFaulty(.statisticsOutsideTransaction) {
      report.uncounted = deltas
      return (report, found)
    }
    for (run, delta) in deltas { try RunStats.add(delta, run: run, slot: slot, connection) }
    return (report, found)
  }

  /// A send with an outcome has neither holder nor next attempt. One that becomes UNKNOWN is asked about at once; one of
  /// which a receipt has told the end is asked about no more.
  private static func update(
    _ row: BSONDocument, from before: SendState, to after: SendState, at now: Timestamp
  ) -> BSONDocument {
    var fields = after.fields(changedFrom: before)
    fields.appendDate("updated_at", milliseconds: now.milliseconds)
    let isNew = after.status != before.status
    var gone = BSONDocument()
    if isNew, after.status > .sending {
      for field in ["lease", "retry_at"] where row[field] != nil { gone.append(field, "") }
    }
    if isNew, after.status > .sent, row["ask_at"] != nil { gone.append("ask_at", "") }
    let isUnknown = isNew && after.status == .unknown
    if isUnknown { fields.append("asked", Int32(0)) }
    var update: BSONDocument = ["$set": .document(fields)]
    if !gone.isEmpty { update.append("$unset", document: gone) }
    if isUnknown { update.append("$currentDate", ["unknown_since": true, "ask_at": true]) }
    return update
  }
}
