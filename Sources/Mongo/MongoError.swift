import BSON

/// Why an operation failed, sorted by what the caller can do about it.
///
/// The text never holds the credentials of the connection string.
public struct MongoError: Error, Sendable, CustomStringConvertible {
  public enum Kind: String, Sendable {
    /// The caller's fault: a malformed filter or update, a document the validator refuses, an option in the wrong place.
    /// The same call fails again.
    case invalidInput
    /// The server refuses the credentials, or they do not permit the operation. Fix the configuration.
    case unauthorized
    /// No suitable server within the time allowed, or the connection broke: a write may or may not have happened.
    case unavailable
    /// The server gave up at `maxTimeMS` or a limit of its own.
    case timeout
    /// A unique index refused the write; see `keyPattern` and `keyValue`.
    case duplicateKey
    /// Another transaction or operation changed the same document first. Try again.
    case writeConflict
    /// The write happened on the primary, but is not known to be durable on a majority.
    case writeConcern
    /// The server failed in any other way; see `code`.
    case server
    /// Some items of a bulk write failed; see `bulkResult`.
    case bulk
    /// No connection became free in time, or too many callers wait for one: shed load.
    case exhausted
    /// The client has been closed.
    case closed
  }

  public var kind: Kind
  /// The server's error code, or libmongoc's when the server was not reached; 0 when neither has one.
  public var code: Int
  public var message: String
  /// The server's error labels, such as `TransientTransactionError`.
  public var labels: Set<String>
  /// The fields of the unique index that refused the write, in its order.
  public var keyPattern: [String]
  /// The key that was already there.
  public var keyValue: BSONDocument?
  /// What a bulk write did before it failed, as far as the server said.
  public var bulkResult: BulkResult?

  public init(
    kind: Kind, code: Int = 0, message: String, labels: Set<String> = [], keyPattern: [String] = [],
    keyValue: BSONDocument? = nil, bulkResult: BulkResult? = nil
  ) {
    self.kind = kind
    self.code = code
    self.message = message
    self.labels = labels
    self.keyPattern = keyPattern
    self.keyValue = keyValue
    self.bulkResult = bulkResult
  }

  /// True when the same call may succeed later. A write that is tried again must be idempotent: the first attempt may
  /// have happened.
  public var isRetryable: Bool {
    switch kind {
    case .unavailable, .timeout, .writeConflict, .writeConcern, .exhausted: true
    case .invalidInput, .unauthorized, .duplicateKey, .bulk, .closed: false
    case .server: !labels.isDisjoint(with: [Label.transientTransaction, Label.retryableWrite])
    }
  }

  public var isDuplicateKey: Bool { kind == .duplicateKey }

  public var description: String {
    let labels = labels.isEmpty ? "" : " [\(labels.sorted().joined(separator: ", "))]"
    return "MongoDB \(kind.rawValue)\(code == 0 ? "" : " (\(code))"): \(message)\(labels)"
  }

  /// Labels that steer retries.
  public enum Label {
    /// The whole transaction may be run again.
    public static let transientTransaction = "TransientTransactionError"
    /// The commit, and only the commit, may be sent again.
    public static let unknownCommitResult = "UnknownTransactionCommitResult"
    public static let retryableWrite = "RetryableWriteError"
  }

  static func invalidInput(_ message: String) -> MongoError { MongoError(kind: .invalidInput, message: message) }
}
