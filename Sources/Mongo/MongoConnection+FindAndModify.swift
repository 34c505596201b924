import BSON
import CMongoC

extension MongoConnection {
  /// Changes the first matching document and returns it, in one atomic step.
  ///
  /// - Parameters:
  ///   - returnNew: return the document as it is after the change instead of before; not with `.remove`.
  ///   - sort: which document is first.
  /// - Returns: nil when none matched, or when an upsert inserted and `returnNew` is false.
  @discardableResult
  public func findAndModify(
    _ collection: String, _ filter: BSONDocument, _ change: Modification, returnNew: Bool = false,
    upsert: Bool = false, sort: BSONDocument? = nil, projection: BSONDocument? = nil,
    arrayFilters: [BSONDocument]? = nil, hint: IndexHint? = nil, maxTimeMS: Int? = nil
  ) throws(MongoError) -> BSONDocument? {
    let handle = try handle(collection)
    var extra = sessionOptions
    extra.append("arrayFilters", ifPresent: arrayFilters)
    extra.append(hint: hint)
    for document in [filter, extra, sort, projection, change.document] { try check(document ?? BSONDocument()) }
    try change.checkShape()
    guard let options = mongoc_find_and_modify_opts_new() else { throw .invalidInput("no options") }
    defer { mongoc_find_and_modify_opts_destroy(options) }
    if let sort { _ = lend(sort) { mongoc_find_and_modify_opts_set_sort(options, $0) } }
    if let projection { _ = lend(projection) { mongoc_find_and_modify_opts_set_fields(options, $0) } }
    if let document = change.document { _ = lend(document) { mongoc_find_and_modify_opts_set_update(options, $0) } }
    if !extra.isEmpty { _ = lend(extra) { mongoc_find_and_modify_opts_append(options, $0) } }
    var flags = MONGOC_FIND_AND_MODIFY_NONE.rawValue
    if case .remove = change { flags |= MONGOC_FIND_AND_MODIFY_REMOVE.rawValue }
    if upsert { flags |= MONGOC_FIND_AND_MODIFY_UPSERT.rawValue }
    if returnNew { flags |= MONGOC_FIND_AND_MODIFY_RETURN_NEW.rawValue }
    mongoc_find_and_modify_opts_set_flags(options, mongoc_find_and_modify_flags_t(rawValue: flags))
    mongoc_find_and_modify_opts_set_max_time_ms(
      options, UInt32(clamping: maxTimeMS ?? configuration.maxTimeMS))
    let reply = try call { reply, error in
      lend(filter) { mongoc_collection_find_and_modify_with_opts(handle, $0, options, reply, &error) }
    }
    return reply["value"]?.documentValue
  }

  /// `findAndModify` with update operators.
  @discardableResult
  public func findAndModify(
    _ collection: String, _ filter: BSONDocument, update: BSONDocument, returnNew: Bool = false,
    upsert: Bool = false, sort: BSONDocument? = nil, projection: BSONDocument? = nil
  ) throws(MongoError) -> BSONDocument? {
    try findAndModify(
      collection, filter, .update(update), returnNew: returnNew, upsert: upsert, sort: sort, projection: projection)
  }

  /// `findAndModify` with an aggregation pipeline.
  @discardableResult
  public func findAndModify(
    _ collection: String, _ filter: BSONDocument, pipeline: [BSONDocument], returnNew: Bool = false,
    upsert: Bool = false, sort: BSONDocument? = nil, projection: BSONDocument? = nil
  ) throws(MongoError) -> BSONDocument? {
    try findAndModify(
      collection, filter, .pipeline(pipeline), returnNew: returnNew, upsert: upsert, sort: sort, projection: projection)
  }
}

extension Modification {
  fileprivate var document: BSONDocument? {
    switch self {
    case .update(let document), .replace(let document): document
    case .pipeline(let stages): BSONDocument(pipeline: stages)
    case .remove: nil
    }
  }

  /// The server tells an update from a replacement by its first key; a mix-up would replace a whole document.
  fileprivate func checkShape() throws(MongoError) {
    func isOperator(_ document: BSONDocument) -> Bool { document.keys.first?.utf8.first == UInt8(ascii: "$") }
    switch self {
    case .update(let document) where !isOperator(document):
      throw .invalidInput("an update has operators only; use .replace to replace the document")
    case .replace(let document) where isOperator(document):
      throw .invalidInput("a replacement has no operators; use .update")
    case .pipeline(let stages) where stages.isEmpty:
      throw .invalidInput("a pipeline has at least one stage")
    default: break
    }
  }
}
