import BSON
import CMongoC

extension MongoConnection {
  /// Inserts a document; without an `_id` it gets one.
  ///
  /// - Throws: `.duplicateKey` when a unique index holds the key already.
  public func insertOne(_ collection: String, _ document: BSONDocument) throws(MongoError) {
    let handle = try handle(collection)
    try check(document)
    var opts = sessionOptions
    opts.append(contentsOf: Self.trusted)
    try call { reply, error in
      lend(document, opts) { mongoc_collection_insert_one(handle, $0, $1, reply, &error) }
    }
  }

  /// Updates the first document that matches.
  ///
  /// - Parameter update: update operators only; a plain document is refused, use `replaceOne`.
  @discardableResult
  public func updateOne(
    _ collection: String, _ filter: BSONDocument, _ update: BSONDocument, upsert: Bool = false,
    arrayFilters: [BSONDocument]? = nil, hint: IndexHint? = nil
  ) throws(MongoError) -> UpdateResult {
    try self.update(mongoc_collection_update_one, collection, filter, update, upsert, arrayFilters, hint)
  }

  /// Updates the first document that matches by an aggregation pipeline.
  @discardableResult
  public func updateOne(
    _ collection: String, _ filter: BSONDocument, pipeline: [BSONDocument], upsert: Bool = false,
    hint: IndexHint? = nil
  ) throws(MongoError) -> UpdateResult {
    try update(mongoc_collection_update_one, collection, filter, BSONDocument(pipeline: pipeline), upsert, nil, hint)
  }

  /// Updates every document that matches. Not repeated by libmongoc when the connection breaks.
  @discardableResult
  public func updateMany(
    _ collection: String, _ filter: BSONDocument, _ update: BSONDocument, upsert: Bool = false,
    arrayFilters: [BSONDocument]? = nil, hint: IndexHint? = nil
  ) throws(MongoError) -> UpdateResult {
    try self.update(mongoc_collection_update_many, collection, filter, update, upsert, arrayFilters, hint)
  }

  /// Updates every document that matches by an aggregation pipeline.
  @discardableResult
  public func updateMany(
    _ collection: String, _ filter: BSONDocument, pipeline: [BSONDocument], upsert: Bool = false,
    hint: IndexHint? = nil
  ) throws(MongoError) -> UpdateResult {
    try update(mongoc_collection_update_many, collection, filter, BSONDocument(pipeline: pipeline), upsert, nil, hint)
  }

  /// Replaces the first document that matches, all but its `_id`.
  @discardableResult
  public func replaceOne(
    _ collection: String, _ filter: BSONDocument, _ replacement: BSONDocument, upsert: Bool = false,
    hint: IndexHint? = nil
  ) throws(MongoError) -> UpdateResult {
    try update(mongoc_collection_replace_one, collection, filter, replacement, upsert, nil, hint)
  }

  /// Deletes the first document that matches; returns how many were deleted.
  @discardableResult
  public func deleteOne(_ collection: String, _ filter: BSONDocument) throws(MongoError) -> Int {
    try delete(mongoc_collection_delete_one, collection, filter)
  }

  /// Deletes every document that matches; returns how many were deleted.
  @discardableResult
  public func deleteMany(_ collection: String, _ filter: BSONDocument) throws(MongoError) -> Int {
    try delete(mongoc_collection_delete_many, collection, filter)
  }

  private typealias UpdateCall = (
    OpaquePointer?, OpaquePointer?, OpaquePointer?, OpaquePointer?,
    OpaquePointer?, UnsafeMutablePointer<bson_error_t>?
  ) -> Bool

  private func update(
    _ function: UpdateCall, _ collection: String, _ filter: BSONDocument, _ update: BSONDocument, _ upsert: Bool,
    _ arrayFilters: [BSONDocument]?, _ hint: IndexHint?
  ) throws(MongoError) -> UpdateResult {
    let handle = try handle(collection)
    var opts = sessionOptions
    if upsert { opts.append("upsert", true) }
    opts.append("arrayFilters", ifPresent: arrayFilters)
    opts.append(hint: hint)
    try check(filter)
    try check(update)
    try check(opts)
    let reply = try call { reply, error in
      lend(filter, update, opts) { function(handle, $0, $1, $2, reply, &error) }
    }
    return UpdateResult(
      matched: reply["matchedCount"]?.intValue ?? 0, modified: reply["modifiedCount"]?.intValue ?? 0,
      upsertedID: reply["upsertedId"])
  }

  private typealias DeleteCall = (
    OpaquePointer?, OpaquePointer?, OpaquePointer?, OpaquePointer?,
    UnsafeMutablePointer<bson_error_t>?
  ) -> Bool

  private func delete(
    _ function: DeleteCall, _ collection: String, _ filter: BSONDocument
  ) throws(MongoError) -> Int {
    let handle = try handle(collection)
    try check(filter)
    let opts = sessionOptions
    let reply = try call { reply, error in lend(filter, opts) { function(handle, $0, $1, reply, &error) } }
    return reply["deletedCount"]?.intValue ?? 0
  }
}
