import BSON
import CMongoC

/// Turns a configuration into libmongoc's URI.
enum ConnectionString {
  /// The caller destroys the result.
  static func make(
    _ configuration: MongoClient.Configuration, poolSize: Int, redactor: CredentialRedactor
  ) throws(MongoError) -> OpaquePointer {
    try check(configuration)
    var error = bson_error_t()
    guard let uri = mongoc_uri_new_with_error(configuration.uri, &error) else {
      var failure = MongoError(error, reply: BSONDocument(), redactor: redactor)
      failure.kind = .invalidInput
      throw failure
    }
    setDefaults(uri, configuration)
    set(uri, MONGOC_URI_MAXPOOLSIZE, poolSize)
    set(uri, MONGOC_URI_WAITQUEUETIMEOUTMS, configuration.waitQueueTimeoutMS)
    setConcerns(uri, configuration)
    return uri
  }

  private static func check(_ configuration: MongoClient.Configuration) throws(MongoError) {
    let times = [
      configuration.serverSelectionTimeoutMS, configuration.connectTimeoutMS, configuration.socketTimeoutMS,
      configuration.heartbeatFrequencyMS, configuration.waitQueueTimeoutMS, configuration.maxTimeMS,
      configuration.writeConcernTimeoutMS,
    ]
    guard times.allSatisfy({ (1...Int(Int32.max)).contains($0) }) else {
      throw .invalidInput("every timeout is between 1 ms and \(Int32.max) ms")
    }
    guard (1...1000).contains(configuration.poolSize) else { throw .invalidInput("poolSize is between 1 and 1000") }
    try MongoConnection.checkName(configuration.database, "database")
    guard configuration.applicationName.utf8.count <= 128, !configuration.uri.utf8.contains(0) else {
      throw .invalidInput("applicationName has at most 128 bytes, and the URI no NUL")
    }
  }

  private static func setDefaults(_ uri: OpaquePointer, _ configuration: MongoClient.Configuration) {
    let times = [
      (MONGOC_URI_SERVERSELECTIONTIMEOUTMS, configuration.serverSelectionTimeoutMS),
      (MONGOC_URI_CONNECTTIMEOUTMS, configuration.connectTimeoutMS),
      (MONGOC_URI_SOCKETTIMEOUTMS, configuration.socketTimeoutMS),
      (MONGOC_URI_HEARTBEATFREQUENCYMS, max(500, configuration.heartbeatFrequencyMS)),
    ]
    for (name, value) in times where !mongoc_uri_has_option(uri, name) { set(uri, name, value) }
    for name in [MONGOC_URI_RETRYWRITES, MONGOC_URI_RETRYREADS] where !mongoc_uri_has_option(uri, name) {
      mongoc_uri_set_option_as_bool(uri, name, true)
    }
    if mongoc_uri_get_appname(uri) == nil { mongoc_uri_set_appname(uri, configuration.applicationName) }
  }

  private static func setConcerns(_ uri: OpaquePointer, _ configuration: MongoClient.Configuration) {
    let write = mongoc_write_concern_new()
    defer { mongoc_write_concern_destroy(write) }
    mongoc_write_concern_set_wmajority(write, Int32(configuration.writeConcernTimeoutMS))
    mongoc_write_concern_set_journal(write, true)
    mongoc_uri_set_write_concern(uri, write)
    let read = mongoc_read_concern_new()
    defer { mongoc_read_concern_destroy(read) }
    mongoc_read_concern_set_level(read, configuration.readConcern.rawValue)
    mongoc_uri_set_read_concern(uri, read)
  }

  private static func set(_ uri: OpaquePointer, _ name: String, _ value: Int) {
    mongoc_uri_set_option_as_int32(uri, name, Int32(value))
  }
}
