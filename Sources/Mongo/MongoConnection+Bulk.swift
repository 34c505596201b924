import BSON
import CMongoC

extension MongoConnection {
  /// Inserts documents; one without `_id` gets one. See `bulkWrite` for errors.
  public func insertMany(
    _ collection: String, _ documents: [BSONDocument], ordered: Bool = false
  ) throws(MongoError) -> BulkResult {
    for document in documents { try check(document) }
    return try execute(collection, documents, ordered: ordered) { bulk, document, error in
      lend(document, Self.trusted) { mongoc_bulk_operation_insert_with_opts(bulk, $0, $1, &error) }
    }
  }

  /// Inserts documents in no promised order, and does not repeat a command whose answer was lost.
  ///
  /// For the repetition that `insertMany` may make, the server notes each document as a statement of its session: a quarter
  /// of its work for small documents (docs/performance.md). A caller that finds by `_id` what has become of its documents
  /// does without. Within a transaction, whose commands are never repeated, it is the same as `insertMany`.
  /// - Parameter documents: with the caller's own `_id`s, at most 16 MiB each.
  /// - Returns: counts, and the items that failed.
  /// - Throws: as `bulkWrite`. On `.unavailable` any of the documents may have been stored, and even those that
  ///   `bulkResult` counts may be undone by a failover.
  public func insertManyOnce(_ collection: String, _ documents: [BSONDocument]) throws(MongoError) -> BulkResult {
    if isInTransaction { return try insertMany(collection, documents, ordered: false) }
    try Self.checkName(collection, "collection")
    for (index, document) in documents.enumerated() {
      try check(document)
      guard document.bytes.count <= Self.largestDocument else {
        throw .invalidInput("item \(index): the document has \(document.bytes.count) bytes, more than 16 MiB")
      }
    }
    var result = BulkResult()
    var rest = documents[...]
    while !rest.isEmpty {
      let first = rest.startIndex
      let reply: BSONDocument
      do {
        reply = try command(insert(rest.popCommandful(), into: collection))
      } catch {
        var failure = error
        failure.bulkResult = result
        throw failure
      }
      result.inserted += reply["n"]?.intValue ?? 0
      for error in (reply["writeErrors"]?.arrayValue ?? []).compactMap(\.documentValue) {
        var error = BulkItemError(error, redactor: redactor)
        error.index += first
        result.errors.append(error)
      }
      if let concern = reply["writeConcernError"] {
        let code = concern["code"]?.intValue ?? 0
        // A primary that steps down, or is shut down, while a write waits for its majority says so here.
        let kind = MongoError.kind(serverCode: code)
        throw MongoError(
          kind: kind == .unavailable ? .unavailable : .writeConcern, code: code,
          message: redactor.redact(concern["errmsg"]?.stringValue ?? ""), bulkResult: result)
      }
    }
    return result
  }

  /// The server's limit of a document. The command around one may be 16 KiB longer.
  private static let largestDocument = 16 << 20

  private func insert(_ documents: ArraySlice<BSONDocument>, into collection: String) -> BSONDocument {
    var array = BSONArrayBuilder(capacity: documents.reduce(64) { $0 + $1.bytes.count + 8 })
    for document in documents { array.append(document: document) }
    var command: BSONDocument = ["insert": .string(collection)]
    command.append("ordered", false)
    command.append("writeConcern", document: majority)
    command.append("documents", array: array)
    return command
  }

  /// Runs operations in few round trips; neighbours of one kind share a command.
  ///
  /// - Parameter ordered: stop at the first item that fails; otherwise all are tried, in no promised order.
  /// - Returns: counts, and the items that failed. Within a transaction a failed item is thrown as `.bulk` instead, because
  ///   the server has then aborted the transaction.
  /// - Throws: any failure that is not an item's: `.unavailable`, `.writeConcern`, `.writeConflict`, `.invalidInput` …; its
  ///   `bulkResult` holds what the server had confirmed by then.
  public func bulkWrite(
    _ collection: String, _ operations: [WriteModel], ordered: Bool
  ) throws(MongoError) -> BulkResult {
    for operation in operations { try check(operation) }
    return try execute(collection, operations, ordered: ordered) { bulk, operation, error in
      Self.add(operation, to: bulk, &error)
    }
  }

  /// libmongoc would walk each document once more to check what `BSONDocument` guarantees or the server checks anyway.
  static let trusted: BSONDocument = ["validate": false]

  private func execute<Item>(
    _ collection: String, _ items: [Item], ordered: Bool,
    add: (_ bulk: OpaquePointer, _ item: Item, _ error: inout bson_error_t) -> Bool
  ) throws(MongoError) -> BulkResult {
    let handle = try handle(collection)
    // libmongoc calls an empty bulk an error.
    if items.isEmpty { return BulkResult() }
    var opts = sessionOptions
    opts.append("ordered", ordered)
    guard let bulk = lend(opts, { mongoc_collection_create_bulk_operation_with_opts(handle, $0) }) else {
      throw .invalidInput("libmongoc made no bulk operation")
    }
    defer { mongoc_bulk_operation_destroy(bulk) }
    var error = bson_error_t()
    for (index, item) in items.enumerated() where !add(bulk, item, &error) {
      var failure = MongoError(error, reply: BSONDocument(), redactor: redactor)
      failure.message = "item \(index): \(failure.message)"
      throw failure
    }
    return try result(of: outcome { reply, error in mongoc_bulk_operation_execute(bulk, reply, &error) != 0 })
  }

  private func result(of outcome: Outcome) throws(MongoError) -> BulkResult {
    let result = BulkResult(reply: outcome.reply, redactor: redactor)
    if outcome.succeeded { return result }
    var failure = MongoError(outcome.error, reply: outcome.reply, redactor: redactor)
    failure.bulkResult = result
    let unconfirmed = outcome.reply["writeConcernErrors"]?.arrayValue ?? []
    // libmongoc reports an item's error as the bulk's own when there is no graver one.
    let itemsOnly =
      outcome.error.domain == MONGOC_ERROR_SERVER.rawValue && result.errors.contains { $0.code == failure.code }
    if itemsOnly, unconfirmed.isEmpty {
      if isInTransaction { try result.throwIfFailed() }
      return result
    }
    if itemsOnly, let first = unconfirmed.first {
      failure.kind = .writeConcern
      failure.code = first["code"]?.intValue ?? failure.code
      failure.message = redactor.redact(first["errmsg"]?.stringValue ?? failure.message)
    }
    throw failure
  }
}

extension MongoConnection {
  private func check(_ operation: WriteModel) throws(MongoError) {
    switch operation {
    case .insert(let document):
      try check(document)
    case .updateOne(let filter, let update, _, let arrayFilters),
      .updateMany(let filter, let update, _, let arrayFilters):
      try check(filter)
      try check(update)
      for arrayFilter in arrayFilters ?? [] { try check(arrayFilter) }
    case .updateOnePipeline(let filter, let pipeline, _), .updateManyPipeline(let filter, let pipeline, _):
      try check(filter)
      for stage in pipeline { try check(stage) }
    case .replaceOne(let filter, let replacement, _):
      try check(filter)
      try check(replacement)
    case .deleteOne(let filter), .deleteMany(let filter):
      try check(filter)
    }
  }

  private static func add(_ operation: WriteModel, to bulk: OpaquePointer, _ error: inout bson_error_t) -> Bool {
    switch operation {
    case .insert(let document):
      lend(document, trusted) { mongoc_bulk_operation_insert_with_opts(bulk, $0, $1, &error) }
    case .updateOne(let filter, let update, let upsert, let arrayFilters):
      lend(filter, update, options(upsert: upsert, arrayFilters)) {
        mongoc_bulk_operation_update_one_with_opts(bulk, $0, $1, $2, &error)
      }
    case .updateMany(let filter, let update, let upsert, let arrayFilters):
      lend(filter, update, options(upsert: upsert, arrayFilters)) {
        mongoc_bulk_operation_update_many_with_opts(bulk, $0, $1, $2, &error)
      }
    case .updateOnePipeline(let filter, let pipeline, let upsert):
      lend(filter, BSONDocument(pipeline: pipeline), options(upsert: upsert)) {
        mongoc_bulk_operation_update_one_with_opts(bulk, $0, $1, $2, &error)
      }
    case .updateManyPipeline(let filter, let pipeline, let upsert):
      lend(filter, BSONDocument(pipeline: pipeline), options(upsert: upsert)) {
        mongoc_bulk_operation_update_many_with_opts(bulk, $0, $1, $2, &error)
      }
    case .replaceOne(let filter, let replacement, let upsert):
      lend(filter, replacement, options(upsert: upsert)) {
        mongoc_bulk_operation_replace_one_with_opts(bulk, $0, $1, $2, &error)
      }
    case .deleteOne(let filter):
      lend(filter) { mongoc_bulk_operation_remove_one_with_opts(bulk, $0, nil, &error) }
    case .deleteMany(let filter):
      lend(filter) { mongoc_bulk_operation_remove_many_with_opts(bulk, $0, nil, &error) }
    }
  }

  private static func options(upsert: Bool, _ arrayFilters: [BSONDocument]? = nil) -> BSONDocument {
    guard upsert || arrayFilters != nil else { return BSONDocument() }
    var opts = BSONDocument()
    if upsert { opts.append("upsert", true) }
    opts.append("arrayFilters", ifPresent: arrayFilters)
    return opts
  }
}

extension ArraySlice<BSONDocument> {
  /// A command is copied as a whole: bounds what that takes, far below what the server accepts.
  private static let bytesOfCommand = 8 << 20
  private static let documentsOfCommand = 10_000

  /// Takes as many from the front as one command may carry; one at least.
  fileprivate mutating func popCommandful() -> Self {
    var bytes = 0
    var end = startIndex
    repeat {
      bytes += self[end].bytes.count
      end += 1
    } while end < endIndex && end - startIndex < Self.documentsOfCommand
      && bytes + self[end].bytes.count <= Self.bytesOfCommand
    defer { self = self[end...] }
    return self[..<end]
  }
}

extension BSONDocument {
  /// A pipeline as libmongoc wants it: the array itself as a document.
  init(pipeline: [BSONDocument]) {
    self.init()
    for (index, stage) in pipeline.enumerated() { append(String(index), document: stage) }
  }
}
