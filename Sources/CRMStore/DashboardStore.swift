import BSON
import CRMCore
import CivilTime
import Crypto
import Mongo

/// What there is, and what happened of late.
public struct Dashboard: Sendable {
  /// A day in UTC.
  public struct Day: Sendable {
    /// Its first instant.
    public let start: Timestamp
    /// Counters of the runs that began on it.
    public var messages = CampaignStats()
    /// Leads that were stored on it and are still there.
    public var newLeads: Int64 = 0
  }

  public let leads: Int
  public let segments: Int
  /// Campaigns that are running or paused.
  public let activeCampaigns: Int
  /// Oldest first, today last.
  public let days: [Day]
  /// The newest entries of the audit log that succeeded, newest first.
  public let activity: [BSONDocument]
}

extension Store {
  private static let millisecondsADay: Int64 = 86_400_000
  /// Runs whose counters are added up: the newest ones of the time.
  private static let dashboardRuns = 2_000
  /// Runs whose counters are read at once, 32 documents each.
  private static let dashboardRunsARead = 200

  /// - Parameters:
  ///   - days: how many, today among them.
  ///   - activity: how many entries.
  ///   - timeoutMS: for everything together.
  /// - Throws: `MongoError`, of kind `.timeout` when the server needs longer.
  public func dashboard(days count: Int, activity: Int, timeoutMS: Int) async throws -> Dashboard {
    let today = clock.now().milliseconds / Self.millisecondsADay * Self.millisecondsADay
    let first = today - Int64(count - 1) * Self.millisecondsADay
    let allowance = TimeAllowance(milliseconds: timeoutMS)
    return try await mongo.withConnection { connection in
      var days = (0..<count).map {
        Dashboard.Day(start: Timestamp(milliseconds: first + Int64($0) * Self.millisecondsADay))
      }
      func index(_ time: Int64) -> Int? {
        let index = Int((time - first) / Self.millisecondsADay)
        return time >= first && index < count ? index : nil
      }
      for (time, leads) in try Self.leadsByDay(since: first, connection, allowance) {
        if let index = index(time) { days[index].newLeads += leads }
      }
      for (time, stats) in try Self.messagesByRun(since: first, connection, allowance) {
        if let index = index(time) { days[index].messages += stats }
      }
      let active = [CampaignStatus.running, .paused].map { BSONValue.string($0.rawValue) }
      let recent = FindOptions(sort: ["at": -1, "_id": -1], maxTimeMS: try allowance.remaining())
      return Dashboard(
        leads: try connection.estimatedCount(Collections.leads, maxTimeMS: try allowance.remaining()),
        segments: try connection.estimatedCount(Collections.segments, maxTimeMS: try allowance.remaining()),
        activeCampaigns: try connection.count(
          Collections.campaigns, ["status": ["$in": .array(active)]], maxTimeMS: try allowance.remaining()),
        days: days,
        activity: try connection.findAll(
          Collections.auditLog, ["outcome": .string(AuditOutcome.succeeded.rawValue)], recent, limit: activity))
    }
  }

  /// An id tells when it was made, so the index on ids answers this alone.
  private static func leadsByDay(
    since first: Int64, _ connection: MongoConnection, _ allowance: TimeAllowance
  ) throws -> [(time: Int64, leads: Int64)] {
    let seconds = UInt32(clamping: first / 1000)
    let pipeline: [BSONDocument] = [
      ["$match": ["_id": ["$gte": .objectID(ObjectID(lowestAt: seconds))]]], ["$project": ["_id": 1]],
      ["$group": ["_id": ["$dateTrunc": ["date": ["$toDate": "$_id"], "unit": "day"]], "count": ["$sum": 1]]],
    ]
    let options = AggregateOptions(hint: ["_id": 1], maxTimeMS: try allowance.remaining())
    return try connection.aggregateAll(Collections.leads, pipeline, options: options, limit: 10_000).compactMap {
      guard let time = $0["_id"]?.dateMilliseconds, let count = $0["count"]?.int64Value else { return nil }
      return (time, count)
    }
  }

  private static func messagesByRun(
    since first: Int64, _ connection: MongoConnection, _ allowance: TimeAllowance
  ) throws -> [(time: Int64, stats: CampaignStats)] {
    let options = FindOptions(
      projection: ["created_at": 1], sort: ["created_at": -1], maxTimeMS: try allowance.remaining())
    let filter: BSONDocument = ["created_at": ["$gte": .date(milliseconds: first)]]
    let runs = try connection.findAll(Collections.campaignRuns, filter, options, limit: dashboardRuns)
      .compactMap { run -> (id: UUIDBytes, time: Int64)? in
        guard let id = run["_id"]?.uuidBytes.flatMap({ UUIDBytes(bytes: $0) }),
          let time = run["created_at"]?.dateMilliseconds
        else { return nil }
        return (id, time)
      }
    var found: [(time: Int64, stats: CampaignStats)] = []
    for start in stride(from: 0, to: runs.count, by: dashboardRunsARead) {
      let page = runs[start..<min(start + dashboardRunsARead, runs.count)]
      let stats = try RunStats.read(page.map(\.id), connection, maxTimeMS: try allowance.remaining())
      found += page.map { ($0.time, stats[$0.id] ?? CampaignStats()) }
    }
    return found
  }
}
