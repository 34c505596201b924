import BSON
import CMongoC

/// A connection, for the duration of one closure; inside `withTransaction` it carries the transaction's session.
///
/// Every operation blocks until the server has answered. Not `Sendable`, and dead once its closure has returned: operations
/// then throw `.invalidInput`. All operations throw `MongoError`.
public final class MongoConnection {
  let configuration: MongoClient.Configuration
  let redactor: CredentialRedactor
  private var client: OpaquePointer?
  private var session: OpaquePointer?
  /// `{sessionId: n}` within a session, merged into the options of every operation.
  private(set) var sessionOptions = BSONDocument()
  private var collections: [(name: String, pointer: OpaquePointer)] = []

  init(_ client: OpaquePointer, configuration: MongoClient.Configuration, redactor: CredentialRedactor) {
    self.client = client
    self.configuration = configuration
    self.redactor = redactor
  }

  public var isInTransaction: Bool { session != nil }

  /// Destroys what depends on the client; called before it goes back to the pool.
  func invalidate() {
    for (_, pointer) in collections { mongoc_collection_destroy(pointer) }
    collections = []
    endSession()
    client = nil
  }

  func liveClient() throws(MongoError) -> OpaquePointer {
    guard let client else { throw .invalidInput("a MongoConnection was used after its closure had returned") }
    return client
  }

  /// libmongoc's handle of a collection, made once per connection.
  func handle(_ collection: String) throws(MongoError) -> OpaquePointer {
    let client = try liveClient()
    if let known = collections.first(where: { $0.name == collection }) { return known.pointer }
    try Self.checkName(collection, "collection")
    guard let pointer = mongoc_client_get_collection(client, configuration.database, collection) else {
      throw .invalidInput("no collection handle for \(collection)")
    }
    collections.append((collection, pointer))
    return pointer
  }

  static func checkName(_ name: String, _ what: String) throws(MongoError) {
    guard !name.isEmpty, name.utf8.count <= 120, !name.utf8.contains(0) else {
      throw .invalidInput("a \(what) name has 1 to 120 bytes and no NUL: \(name.debugDescription)")
    }
  }

  /// Refuses documents that BSON cannot express; see `BSONDocument.hasInvalidKey`.
  func check(_ document: BSONDocument) throws(MongoError) {
    if document.hasInvalidKey { throw .invalidInput("a key or a pattern contains NUL") }
  }

  /// Runs a libmongoc call that fills a reply.
  @discardableResult
  func call(
    _ body: (_ reply: OpaquePointer, _ error: inout bson_error_t) -> Bool
  ) throws(MongoError) -> BSONDocument {
    let outcome = outcome(body)
    guard outcome.succeeded else { throw MongoError(outcome.error, reply: outcome.reply, redactor: redactor) }
    return outcome.reply
  }
}

extension MongoConnection {
  func beginTransaction(maxCommitTimeMS: Int) throws(MongoError) {
    let client = try liveClient()
    var error = bson_error_t()
    guard let session = mongoc_client_start_session(client, nil, &error) else {
      throw MongoError(error, reply: BSONDocument(), redactor: redactor)
    }
    self.session = session
    guard let options = try? appendedSession(session) else {
      endSession()
      throw .invalidInput("the session belongs to another client")
    }
    sessionOptions = options
    let transaction = transactionOptions(maxCommitTimeMS: maxCommitTimeMS)
    defer { mongoc_transaction_opts_destroy(transaction) }
    guard mongoc_client_session_start_transaction(session, transaction, &error) else {
      endSession()
      throw MongoError(error, reply: BSONDocument(), redactor: redactor)
    }
  }

  /// Snapshot reads, journaled majority writes.
  private func transactionOptions(maxCommitTimeMS: Int) -> OpaquePointer? {
    let options = mongoc_transaction_opts_new()
    let read = mongoc_read_concern_new()
    defer { mongoc_read_concern_destroy(read) }
    mongoc_read_concern_set_level(read, ReadConcern.snapshot.rawValue)
    mongoc_transaction_opts_set_read_concern(options, read)
    let write = mongoc_write_concern_new()
    defer { mongoc_write_concern_destroy(write) }
    mongoc_write_concern_set_wmajority(write, Int32(configuration.writeConcernTimeoutMS))
    mongoc_write_concern_set_journal(write, true)
    mongoc_transaction_opts_set_write_concern(options, write)
    mongoc_transaction_opts_set_max_commit_time_ms(options, Int64(maxCommitTimeMS))
    return options
  }

  private func appendedSession(_ session: OpaquePointer) throws(MongoError) -> BSONDocument {
    try call { reply, error in mongoc_client_session_append(session, reply, &error) }
  }

  func commitTransaction() throws(MongoError) {
    guard let session else { throw .invalidInput("no transaction to commit") }
    try call { reply, error in mongoc_client_session_commit_transaction(session, reply, &error) }
  }

  /// Best effort: a transaction that is not aborted dies with its session, or of age.
  func abortTransaction() {
    guard let session else { return }
    _ = mongoc_client_session_abort_transaction(session, nil)
  }

  func endSession() {
    guard let session else { return }
    mongoc_client_session_destroy(session)
    self.session = nil
    sessionOptions = BSONDocument()
  }
}
