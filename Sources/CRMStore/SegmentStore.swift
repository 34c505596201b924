import BSON
import CRMCore
import CivilTime
import Mongo

extension Store {
  /// Stores a new segment. Its rule must have been checked.
  ///
  /// - Parameter segment: when one of its id exists, an earlier attempt made it, and it is returned.
  public func createSegment(_ segment: Segment) async throws -> Segment {
    try await mongo.withConnection { connection in
      do {
        try connection.insertOne(Collections.segments, segment.bson())
        return segment
      } catch let error as MongoError where error.isDuplicateKey {
        return try Store.segment(segment.id, connection)
      }
    }
  }

  /// A segment by its id.
  ///
  /// - Throws: `StoreError.notFound`.
  public func segment(_ id: ObjectID) async throws -> Segment {
    try await mongo.withConnection { try Store.segment(id, $0) }
  }

  static func segment(_ id: ObjectID, _ connection: MongoConnection) throws -> Segment {
    guard let document = try connection.findOne(Collections.segments, ["_id": .objectID(id)]) else {
      throw StoreError.notFound(what: "segment", id: id.hex)
    }
    return try Segment(bson: document)
  }

  /// - Parameter search: found in the name, in either case.
  public func segments(
    search: String?, order: ListOrder, start: PageStart, limit: Int
  ) async throws -> ListPage<Segment> {
    let filter: BSONDocument = search.map { ["name": Store.containing($0)] } ?? [:]
    return try await page(
      ListQuery(collection: Collections.segments, filter: filter, order: order, start: start, limit: limit)
    ) { try Segment(bson: $0) }
  }

  /// Replaces a segment's name, rule, zone and owner. Runs that are under way keep the rule that they began with.
  ///
  /// - Throws: `StoreError.notFound`.
  public func updateSegment(_ id: ObjectID, _ change: @escaping @Sendable (Segment, Timestamp) -> Segment) async throws
    -> Segment
  {
    let now = clock.now()
    return try await mongo.withTransaction { connection in
      let before = try Store.segment(id, connection)
      let after = change(before, now)
      guard after != before else { return before }
      // What stands beside the segment's own fields in the document stays.
      var set = after.bson()
      set["_id"] = nil
      var unset = BSONDocument()
      if after.previewCount == nil { unset.append("preview_count", "") }
      if after.previewedAt == nil { unset.append("previewed_at", "") }
      if after.ownerUserID == nil { unset.append("owner_user_id", "") }
      var update: BSONDocument = ["$set": .document(set)]
      if !unset.isEmpty { update.append("$unset", document: unset) }
      try connection.updateOne(Collections.segments, ["_id": .objectID(id)], update)
      return after
    }
  }

  /// Remembers what a preview counted, unless the segment has changed since it was read for that.
  public func recordPreview(of segment: Segment, count: Int) async throws {
    let now = clock.now()
    try await mongo.withConnection { connection in
      _ = try connection.updateOne(
        Collections.segments,
        ["_id": .objectID(segment.id), "updated_at": .date(milliseconds: segment.updatedAt.milliseconds)],
        [
          "$set": [
            "preview_count": .int64(Int64(count)), "previewed_at": .date(milliseconds: now.milliseconds),
          ]
        ])
    }
  }

  /// Deletes a segment that no unfinished campaign uses.
  ///
  /// - Throws: `StoreError.notFound`, or `.conflict` naming a campaign that uses it.
  public func deleteSegment(_ id: ObjectID) async throws {
    try await mongo.withTransaction { connection in
      let open = CampaignStatus.allCases.filter { !$0.isFinal }.map { BSONValue.string($0.rawValue) }
      let user = try connection.findOne(
        Collections.campaigns, ["segment_id": .objectID(id), "status": ["$in": .array(open)]])
      if let user, let campaign = user["_id"]?.objectIDValue {
        let name = user["name"]?.stringValue ?? ""
        throw StoreError.conflict(
          message: "the campaign \"\(name)\" (\(campaign.hex)) uses this segment",
          currentStatus: user["status"]?.stringValue, runID: nil)
      }
      guard try connection.deleteOne(Collections.segments, ["_id": .objectID(id)]) == 1 else {
        throw StoreError.notFound(what: "segment", id: id.hex)
      }
    }
  }

  /// Marks a segment as used within the transaction that makes or changes a campaign.
  ///
  /// Without the write, a deletion at the same moment would not notice: each transaction would see the state before the
  /// other. With it, they conflict and one of them is run again.
  static func use(segment id: ObjectID, at now: Timestamp, _ connection: MongoConnection) throws {
    let used = try connection.updateOne(
      Collections.segments, ["_id": .objectID(id)], ["$set": ["used_at": .date(milliseconds: now.milliseconds)]])
    guard used.matched == 1 else {
      throw StoreError.invalid([.unknownSegment])
    }
  }
}
