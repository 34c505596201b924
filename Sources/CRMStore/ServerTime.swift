import BSON
import Mongo

extension MongoConnection {
  /// Inserts a document in which one date is the server's: what other processes hold against the server's time must not
  /// come from the clock of one of them.
  ///
  /// - Parameter field: takes the place of what the document has there.
  /// - Throws: `MongoError` of kind `.duplicateKey` where there is such a document.
  func insertOne(_ collection: String, _ document: BSONDocument, datedBy field: String) throws(MongoError) {
    var rest = document
    rest["_id"] = nil
    rest[field] = nil
    // A document that exists has the field, so it is not found and its `_id` is refused.
    let filter: BSONDocument = ["_id": document["_id"] ?? .null, field: ["$exists": false]]
    try updateOne(
      collection, filter, ["$setOnInsert": .document(rest), "$currentDate": [field: true]], upsert: true)
  }
}
