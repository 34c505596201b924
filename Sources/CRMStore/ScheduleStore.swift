import BSON
import CRMCore
import CivilTime
import Mongo

extension Store {
  /// Campaigns whose time has come on MongoDB's clock, the longest due first.
  ///
  /// - Parameter graceSeconds: those found later than this are left out; they wait for somebody's confirmation.
  public func dueSchedules(graceSeconds: Int, limit: Int) async throws -> [Campaign] {
    try await mongo.withConnection { connection in
      try connection.findAll(
        Collections.campaigns,
        [
          "status": .string(CampaignStatus.scheduled.rawValue),
          "$expr": [
            "$and": [
              ["$lte": ["$schedule_at", "$$NOW"]],
              ["$not": [Store.olderThan("$schedule_at", seconds: graceSeconds)]],
            ]
          ],
        ], FindOptions(sort: ["schedule_at": 1]), limit: limit
      ).map { try Campaign(bson: $0) }
    }
  }

  /// Marks scheduled campaigns that were found too late to be launched without asking.
  ///
  /// - Returns: those that were not marked before.
  public func markOverdueSchedules(graceSeconds: Int, limit: Int) async throws -> [Campaign] {
    try await mongo.withConnection { connection in
      var overdue: [Campaign] = []
      while overdue.count < limit {
        let marked = try connection.findAndModify(
          Collections.campaigns,
          [
            "status": .string(CampaignStatus.scheduled.rawValue), "confirmation_required": ["$ne": true],
            "$expr": Store.olderThan("$schedule_at", seconds: graceSeconds),
          ],
          update: ["$set": ["confirmation_required": true]], returnNew: true)
        guard let marked else { break }
        overdue.append(try Campaign(bson: marked))
      }
      return overdue
    }
  }
}
