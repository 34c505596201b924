import BSON
import CMongoC

extension MongoConnection {
  /// How many documents match. With a `limit`, counting stops there.
  public func count(
    _ collection: String, _ filter: BSONDocument, limit: Int? = nil, hint: IndexHint? = nil, maxTimeMS: Int? = nil,
    collation: BSONDocument? = nil, readConcern: ReadConcern? = nil
  ) throws(MongoError) -> Int {
    let handle = try handle(collection)
    var opts = sessionOptions
    opts.append("maxTimeMS", maxTimeMS ?? configuration.maxTimeMS)
    opts.append("limit", ifPresent: limit)
    opts.append("collation", ifPresent: collation)
    opts.append(hint: hint)
    opts.append(readConcern: readConcern)
    try check(filter)
    try check(opts)
    var count: Int64 = 0
    try call { reply, error in
      count = lend(filter, opts) { mongoc_collection_count_documents(handle, $0, $1, nil, reply, &error) }
      return count >= 0
    }
    return Int(count)
  }

  /// The collection's size from its metadata: fast, and off by what was in flight when a server stopped uncleanly.
  public func estimatedCount(_ collection: String, maxTimeMS: Int? = nil) throws(MongoError) -> Int {
    let handle = try handle(collection)
    let opts: BSONDocument = ["maxTimeMS": .int64(Int64(maxTimeMS ?? configuration.maxTimeMS))]
    var count: Int64 = 0
    try call { reply, error in
      count = lend(opts) { mongoc_collection_estimated_document_count(handle, $0, nil, reply, &error) }
      return count >= 0
    }
    return Int(count)
  }
}
