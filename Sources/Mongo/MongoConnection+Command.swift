import BSON
import CMongoC

extension MongoConnection {
  /// Runs a command on the primary, as it is: neither read nor write concern nor retries are added.
  ///
  /// - Parameter database: the client's own by default.
  /// - Returns: the whole reply.
  @discardableResult
  public func command(_ command: BSONDocument, database: String? = nil) throws(MongoError) -> BSONDocument {
    let client = try liveClient()
    let name = database ?? configuration.database
    try Self.checkName(name, "database")
    try check(command)
    let opts = sessionOptions
    return try call { reply, error in
      lend(command, opts) { mongoc_client_command_with_opts(client, name, $0, nil, $1, reply, &error) }
    }
  }

  /// Runs a command that writes, with the client's write concern, whose failure is an error.
  @discardableResult
  func writeCommand(_ command: BSONDocument) throws(MongoError) -> BSONDocument {
    let client = try liveClient()
    try check(command)
    var opts = sessionOptions
    opts.append("writeConcern", document: majority)
    return try call { reply, error in
      lend(command, opts) {
        mongoc_client_write_command_with_opts(client, configuration.database, $0, $1, reply, &error)
      }
    }
  }

  /// The write concern of everything that writes outside transactions.
  var majority: BSONDocument {
    ["w": "majority", "j": true, "wtimeout": .int64(Int64(configuration.writeConcernTimeoutMS))]
  }
}
