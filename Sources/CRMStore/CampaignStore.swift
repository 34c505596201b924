import BSON
import CRMCore
import CivilTime
import Mongo

/// Which campaigns to list.
public struct CampaignQuery: Sendable {
  public var status: CampaignStatus?
  /// Found in the name, in either case.
  public var search: String?
  public var order: ListOrder
  public var start: PageStart
  public var limit: Int

  public init(order: ListOrder, start: PageStart, limit: Int) {
    self.order = order
    self.start = start
    self.limit = limit
  }

  var filter: BSONDocument {
    var filter = BSONDocument()
    if let status { filter.append("status", status.rawValue) }
    if let search { filter.append("name", Store.containing(search)) }
    return filter
  }
}

extension Store {
  /// Stores a new campaign.
  ///
  /// - Parameter campaign: when one of its id exists, an earlier attempt made it, and it is returned.
  /// - Throws: `StoreError.invalid` when its segment does not exist.
  public func createCampaign(_ campaign: Campaign) async throws -> Campaign {
    let now = clock.now()
    return try await mongo.withTransaction { connection in
      if let known = try connection.findOne(Collections.campaigns, ["_id": .objectID(campaign.id)]) {
        return try Campaign(bson: known)
      }
      try Store.use(segment: campaign.segmentID, at: now, connection)
      try connection.insertOne(Collections.campaigns, campaign.bson())
      return campaign
    }
  }

  /// A campaign by its id; its stats are those of its current run, as one snapshot shows them.
  ///
  /// - Throws: `StoreError.notFound`.
  public func campaign(_ id: ObjectID) async throws -> Campaign {
    try await mongo.withConnection { connection in
      var campaign = try Store.campaign(id, connection)
      if let run = campaign.currentRun { campaign.stats = try RunStats.read(run, connection) }
      return campaign
    }
  }

  private static func campaign(_ id: ObjectID, _ connection: MongoConnection) throws -> Campaign {
    guard let document = try connection.findOne(Collections.campaigns, ["_id": .objectID(id)]) else {
      throw StoreError.notFound(what: "campaign", id: id.hex)
    }
    return try Campaign(bson: document)
  }

  /// A page of campaigns, each with the stats of its current run.
  public func campaigns(_ query: CampaignQuery) async throws -> ListPage<Campaign> {
    var found = try await page(
      ListQuery(
        collection: Collections.campaigns, filter: query.filter, order: query.order, start: query.start,
        limit: query.limit)
    ) { try Campaign(bson: $0) }
    let stats = try await self.stats(ofRuns: found.elements.compactMap(\.currentRun))
    for index in found.elements.indices {
      if let run = found.elements[index].currentRun { found.elements[index].stats = stats[run] }
    }
    return found
  }

  /// Changes a campaign: anything while it is DRAFT, its schedule alone while it is SCHEDULED.
  ///
  /// - Throws: `StoreError.notFound`, `.conflict` naming the status, `.invalid` when the new segment does not exist.
  public func updateCampaign(_ id: ObjectID, _ change: CampaignChange) async throws -> Campaign {
    let now = clock.now()
    return try await mongo.withTransaction { connection in
      let before = try Store.campaign(id, connection)
      guard before.status == .draft || (before.status == .scheduled && !change.changesMoreThanSchedule) else {
        throw StoreError.conflict(
          message: "a \(before.status.rawValue) campaign does not change any more",
          currentStatus: before.status.rawValue, runID: before.currentRun?.string)
      }
      let (after, changed) = change.applied(to: before, at: now)
      guard changed else { return before }
      if after.segmentID != before.segmentID { try Store.use(segment: after.segmentID, at: now, connection) }
      try connection.replaceOne(Collections.campaigns, ["_id": .objectID(id)], after.bson())
      return after
    }
  }

  /// Deletes a campaign that is DRAFT or final. What it has sent stays in the log.
  ///
  /// - Throws: `StoreError.notFound`, or `.conflict` naming the status.
  public func deleteCampaign(_ id: ObjectID) async throws {
    try await mongo.withTransaction { connection in
      let campaign = try Store.campaign(id, connection)
      guard campaign.status == .draft || campaign.status.isFinal else {
        throw StoreError.conflict(
          message: "a \(campaign.status.rawValue) campaign cannot be deleted",
          currentStatus: campaign.status.rawValue, runID: campaign.currentRun?.string)
      }
      try connection.deleteOne(Collections.campaigns, ["_id": .objectID(id)])
    }
  }
}
