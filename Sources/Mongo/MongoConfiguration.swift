extension MongoClient {
  /// How to reach MongoDB. Times are in milliseconds.
  ///
  /// An option named in the connection string wins over `applicationName` and over the server selection, connect and
  /// socket timeouts. It does not win over pool size and write concern: the guarantees of the writers depend on a journaled
  /// majority, so it is not left to a deployment's string.
  public struct Configuration: Sendable {
    /// `mongodb://…` or `mongodb+srv://…`.
    public var uri: String
    public var database: String
    /// Connections, and threads that use them: how many operations run at once.
    public var poolSize = 16
    /// Shown by the server in its logs and `currentOp`; at most 128 bytes.
    public var applicationName = "minicrm"
    /// How long to look for a suitable server.
    public var serverSelectionTimeoutMS = 5000
    /// How long to wait for a connection to be made, and for each heartbeat.
    public var connectTimeoutMS = 5000
    /// How long to wait for an answer. A retryable operation may take twice as long.
    public var socketTimeoutMS = 60_000
    /// How often the server's state is looked at; at least 500.
    public var heartbeatFrequencyMS = 10_000
    /// How long a caller waits for a free connection before `.exhausted`.
    public var waitQueueTimeoutMS = 10_000
    /// How many callers may wait for a connection before the next one gets `.exhausted` at once.
    public var waitQueueLimit = 10_000
    /// `maxTimeMS` of operations that name none of their own.
    public var maxTimeMS = 30_000
    /// How long the primary waits for a majority to make a write durable.
    public var writeConcernTimeoutMS = 20_000
    /// What reads see when they do not say.
    public var readConcern = ReadConcern.majority

    public init(uri: String, database: String) {
      self.uri = uri
      self.database = database
    }
  }
}

/// Which writes a read sees.
public enum ReadConcern: String, Sendable {
  /// The server's newest, even what a failover might undo.
  case local
  /// What a majority has, so that it cannot be undone.
  case majority
  /// One point in time for the whole cursor, of what a majority has.
  case snapshot
  /// As majority, and after every write that was acknowledged before the read began; confirms with a majority.
  case linearizable
}
