import BSON

/// One operation of a bulk write.
public enum WriteModel: Sendable {
  /// A document without `_id` gets one.
  case insert(BSONDocument)
  case updateOne(filter: BSONDocument, update: BSONDocument, upsert: Bool = false, arrayFilters: [BSONDocument]? = nil)
  case updateMany(filter: BSONDocument, update: BSONDocument, upsert: Bool = false, arrayFilters: [BSONDocument]? = nil)
  case updateOnePipeline(filter: BSONDocument, pipeline: [BSONDocument], upsert: Bool = false)
  case updateManyPipeline(filter: BSONDocument, pipeline: [BSONDocument], upsert: Bool = false)
  case replaceOne(filter: BSONDocument, replacement: BSONDocument, upsert: Bool = false)
  case deleteOne(filter: BSONDocument)
  case deleteMany(filter: BSONDocument)
}

/// What an update did.
public struct UpdateResult: Sendable, Equatable {
  /// Documents that matched the filter; an upsert that inserted matched none.
  public var matched: Int
  /// Documents that the update changed.
  public var modified: Int
  /// The `_id` of the document that an upsert inserted.
  public var upsertedID: BSONValue?

  public init(matched: Int, modified: Int, upsertedID: BSONValue? = nil) {
    self.matched = matched
    self.modified = modified
    self.upsertedID = upsertedID
  }
}

/// How `findAndModify` changes the document it finds.
public enum Modification: Sendable {
  case update(BSONDocument)
  case pipeline([BSONDocument])
  case replace(BSONDocument)
  case remove
}
