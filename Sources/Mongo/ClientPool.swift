import BSON
import CMongoC
import Synchronization

/// Owns libmongoc's pool of clients.
///
/// `@unchecked Sendable`: the pool is the one type of libmongoc that is documented as thread-safe, and the pointer to it is
/// never changed; `close` is called once, after the last job has ended.
final class ClientPool: @unchecked Sendable {
  private let pool: OpaquePointer
  private let closed = Mutex(false)

  /// - Parameter size: as many clients as there are threads that pop them, so that popping does not wait.
  init(_ configuration: MongoClient.Configuration, size: Int, redactor: CredentialRedactor) throws(MongoError) {
    _ = MongoLibrary.initialised
    let uri = try ConnectionString.make(configuration, poolSize: size, redactor: redactor)
    defer { mongoc_uri_destroy(uri) }
    var error = bson_error_t()
    guard let pool = mongoc_client_pool_new_with_error(uri, &error) else {
      throw MongoError(error, reply: BSONDocument(), redactor: redactor)
    }
    // Version 2 tells errors of the server from those of the library.
    mongoc_client_pool_set_error_api(pool, MONGOC_ERROR_API_VERSION_2)
    self.pool = pool
  }

  /// A client for exclusive use; may block for the pool's wait queue timeout.
  func pop() throws(MongoError) -> OpaquePointer {
    guard let client = mongoc_client_pool_pop(pool) else {
      throw MongoError(kind: .exhausted, message: "no connection became free in time")
    }
    return client
  }

  func push(_ client: OpaquePointer) { mongoc_client_pool_push(pool, client) }

  /// Closes every connection; blocks until the monitoring threads have ended. Every client must have been pushed back.
  func close() {
    let first = closed.withLock { closed in
      defer { closed = true }
      return !closed
    }
    if first { mongoc_client_pool_destroy(pool) }
  }
}
