import BSON
import CMongoC

extension MongoConnection {
  /// Hands each matching document to `each`, holding one batch in memory.
  ///
  /// - Parameter each: may use the same connection; return `.stop` to close the cursor early.
  /// - Throws: `MongoError`, or what `each` throws, with the cursor closed.
  public func find(
    _ collection: String, _ filter: BSONDocument, _ options: FindOptions = FindOptions(),
    _ each: (BSONDocument) throws -> CursorAction
  ) throws {
    let handle = try handle(collection)
    let opts = try self.options(options)
    try check(filter)
    try iterate(lend(filter, opts) { mongoc_collection_find_with_opts(handle, $0, $1, nil) }, each)
  }

  /// The matching documents, at most `limit` of them.
  public func findAll(
    _ collection: String, _ filter: BSONDocument, _ options: FindOptions = FindOptions(), limit: Int
  ) throws -> [BSONDocument] {
    guard limit > 0 else { return [] }
    var options = options
    options.limit = min(limit, options.limit.map { $0 > 0 ? $0 : limit } ?? limit)
    var found: [BSONDocument] = []
    try find(collection, filter, options) { document in
      found.append(document)
      return .more
    }
    return found
  }

  /// The first matching document in the order of `options.sort`.
  public func findOne(
    _ collection: String, _ filter: BSONDocument, _ options: FindOptions = FindOptions()
  ) throws -> BSONDocument? {
    var options = options
    options.limit = 1
    var found: BSONDocument?
    try find(collection, filter, options) { document in
      found = document
      return .stop
    }
    return found
  }

  /// Hands each document that the pipeline yields to `each`; see `find`.
  public func aggregate(
    _ collection: String, _ pipeline: [BSONDocument], options: AggregateOptions = AggregateOptions(),
    _ each: (BSONDocument) throws -> CursorAction
  ) throws {
    let handle = try handle(collection)
    var opts = sessionOptions
    opts.append("batchSize", ifPresent: options.batchSize)
    opts.append("allowDiskUse", ifPresent: options.allowDiskUse)
    opts.append("maxTimeMS", options.maxTimeMS ?? configuration.maxTimeMS)
    opts.append("collation", ifPresent: options.collation)
    opts.append("comment", ifPresent: options.comment)
    opts.append("let", ifPresent: options.variables)
    opts.append(hint: options.hint)
    opts.append(readConcern: options.readConcern)
    var stages = BSONDocument()
    stages.append("pipeline", ifPresent: pipeline)
    try check(opts)
    try check(stages)
    try iterate(
      lend(stages, opts) { mongoc_collection_aggregate(handle, MONGOC_QUERY_NONE, $0, $1, nil) }, each)
  }

  /// What the pipeline yields, at most `limit` documents.
  public func aggregateAll(
    _ collection: String, _ pipeline: [BSONDocument], options: AggregateOptions = AggregateOptions(), limit: Int
  ) throws -> [BSONDocument] {
    guard limit > 0 else { return [] }
    var found: [BSONDocument] = []
    try aggregate(collection, pipeline, options: options) { document in
      found.append(document)
      return found.count < limit ? .more : .stop
    }
    return found
  }

  private func options(_ options: FindOptions) throws(MongoError) -> BSONDocument {
    var opts = sessionOptions
    opts.append("projection", ifPresent: options.projection)
    opts.append("sort", ifPresent: options.sort)
    opts.append("limit", ifPresent: options.limit)
    opts.append("skip", ifPresent: options.skip)
    opts.append("batchSize", ifPresent: options.batchSize)
    opts.append("maxTimeMS", options.maxTimeMS ?? configuration.maxTimeMS)
    opts.append("collation", ifPresent: options.collation)
    opts.append("comment", ifPresent: options.comment)
    opts.append(hint: options.hint)
    opts.append(readConcern: options.readConcern)
    // One batch that holds everything asked for needs no cursor on the server.
    if options.limit == 1 { opts.append("singleBatch", true) }
    try check(opts)
    return opts
  }

  /// Drains a cursor and destroys it on every path.
  private func iterate(_ cursor: OpaquePointer?, _ each: (BSONDocument) throws -> CursorAction) throws {
    guard let cursor else { throw MongoError.invalidInput("libmongoc made no cursor") }
    defer { mongoc_cursor_destroy(cursor) }
    // Set by libmongoc; the document belongs to the cursor until the next call.
    var document: OpaquePointer?
    while mongoc_cursor_next(cursor, &document), let current = document {
      guard try each(BSONDocument(copying: current)) == .more else { return }
    }
    var error = bson_error_t()
    var reply: OpaquePointer?
    if mongoc_cursor_error_document(cursor, &error, &reply) {
      throw MongoError(error, reply: reply.map { BSONDocument(copying: $0) } ?? BSONDocument(), redactor: redactor)
    }
  }
}
