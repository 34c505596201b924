import BSON
import CRMCore
import CivilTime
import Crypto
import Mongo

extension Store {
  /// Writes the rows of test sends. Those that an earlier attempt of the same request has written stay as they are.
  public func addTestSends(_ sends: [TestSend]) async throws {
    try await mongo.withConnection { connection in
      let writes = sends.map { send in
        var document = send.document
        document["_id"] = nil
        return WriteModel.updateOne(
          filter: ["_id": .uuid(send.id.bytes)], update: ["$setOnInsert": .document(document)], upsert: true)
      }
      try connection.bulkWrite(Collections.testSends, writes, ordered: false).throwIfFailed()
    }
  }

  /// Claims a test send before its vendor call; false when it was claimed before, or is unknown.
  public func claimTestSend(_ id: UUIDBytes) async throws -> Bool {
    try await mongo.withConnection { connection in
      let result = try connection.updateOne(
        Collections.testSends,
        ["_id": .uuid(id.bytes), "status": .string(SendStatus.queued.rawValue)],
        [
          "$set": [
            "status": .string(SendStatus.sending.rawValue), "rank": .int32(SendStatus.sending.rank),
            "attempt": .int32(1),
          ], "$currentDate": ["sending_at": true, "updated_at": true],
        ])
      return result.modified == 1
    }
  }

  /// A campaign's test sends, newest first.
  ///
  /// - Throws: `StoreError.notFound` for an unknown campaign.
  public func testSends(
    ofCampaign id: ObjectID, start: PageStart, limit: Int
  ) async throws -> ListPage<LogEntry> {
    _ = try await campaign(id)
    return try await page(
      ListQuery(
        collection: Collections.testSends, filter: ["campaign_id": .objectID(id)],
        order: ListOrder(field: "created_at", ascending: false), start: start, limit: limit)
    ) { LogEntry($0) }
  }

  /// Merges evidence into the rows of test sends, within a transaction.
  ///
  /// - Returns: the sends that have such a row.
  static func mergeIntoTests(
    _ events: [UUIDBytes: [SendEvent]], at now: Timestamp, _ connection: MongoConnection
  ) throws -> Set<UUIDBytes> {
    var found: Set<UUIDBytes> = []
    var writes: [WriteModel] = []
    try connection.find(
      Collections.testSends, ["_id": ["$in": .array(events.keys.map { .uuid($0.bytes) })]], FindOptions()
    ) { row in
      guard let id = row["_id"]?.uuidBytes.flatMap({ UUIDBytes(bytes: $0) }), let told = events[id] else {
        throw DocumentError(collection: Collections.testSends, document: row)
      }
      found.insert(id)
      let before = try SendState(bson: row)
      let after = before.merge(told).state
      guard after != before else { return .more }
      var fields = after.fields(changedFrom: before)
      fields.appendDate("updated_at", milliseconds: now.milliseconds)
      writes.append(.updateOne(filter: ["_id": .uuid(id.bytes)], update: ["$set": .document(fields)]))
      return .more
    }
    if !writes.isEmpty {
      try connection.bulkWrite(Collections.testSends, writes, ordered: false).throwIfFailed()
    }
    return found
  }
}
