import BSON
import CMongoC

extension MongoError {
  /// The error of a failed libmongoc call.
  ///
  /// - Parameter reply: the server's answer, where there is one; carries labels and the duplicate key.
  init(_ error: bson_error_t, reply: BSONDocument, redactor: CredentialRedactor) {
    let item = Self.firstWriteError(reply)
    self.init(
      kind: Self.kind(domain: error.domain, code: Int(error.code)),
      code: Int(error.code),
      message: redactor.redact(Self.message(of: error)),
      labels: Set((reply["errorLabels"]?.arrayValue ?? []).compactMap(\.stringValue)),
      keyPattern: (item["keyPattern"] ?? reply["keyPattern"])?.documentValue?.keys ?? [],
      keyValue: (item["keyValue"] ?? reply["keyValue"])?.documentValue)
    if kind == .server, labels.contains(Label.transientTransaction) { kind = .writeConflict }
  }

  private static func firstWriteError(_ reply: BSONDocument) -> BSONDocument {
    reply["writeErrors"]?.arrayValue?.first?.documentValue ?? BSONDocument()
  }

  /// The message is a C string in a fixed buffer.
  private static func message(of error: bson_error_t) -> String {
    withUnsafeBytes(of: error.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }

  private static func kind(domain: UInt32, code: Int) -> Kind {
    switch domain {
    case MONGOC_ERROR_SERVER_SELECTION.rawValue, MONGOC_ERROR_STREAM.rawValue, MONGOC_ERROR_PROTOCOL.rawValue:
      return .unavailable
    case MONGOC_ERROR_POOL.rawValue:
      return .exhausted
    case MONGOC_ERROR_SASL.rawValue, MONGOC_ERROR_SCRAM.rawValue:
      return .unauthorized
    case MONGOC_ERROR_CLIENT.rawValue:
      return code == Int(MONGOC_ERROR_CLIENT_AUTHENTICATE.rawValue) ? .unauthorized : .invalidInput
    case MONGOC_ERROR_BSON.rawValue, MONGOC_ERROR_COMMAND.rawValue, MONGOC_ERROR_CURSOR.rawValue,
      MONGOC_ERROR_NAMESPACE.rawValue, MONGOC_ERROR_TRANSACTION.rawValue, MONGOC_ERROR_COLLECTION.rawValue:
      return .invalidInput
    case MONGOC_ERROR_WRITE_CONCERN.rawValue:
      return .writeConcern
    default:
      return kind(serverCode: code)
    }
  }

  /// https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml
  static func kind(serverCode code: Int) -> Kind {
    switch code {
    case 11000, 11001, 12582: .duplicateKey
    // LockTimeout, WriteConflict, SnapshotUnavailable, NoSuchTransaction, TransactionTooOld.
    case 24, 112, 246, 251, 225: .writeConflict
    // MaxTimeMSExpired, ExceededTimeLimit, NetworkInterfaceExceededTimeLimit.
    case 50, 262, 202: .timeout
    // HostUnreachable, HostNotFound, NetworkTimeout, ShutdownInProgress, PrimarySteppedDown, NotWritablePrimary and kin,
    // SocketException, InterruptedAtShutdown, InterruptedDueToReplStateChange.
    case 6, 7, 89, 91, 189, 9001, 10058, 10107, 11600, 11602, 13435, 13436: .unavailable
    // Unauthorized, AuthenticationFailed.
    case 13, 18: .unauthorized
    // WriteConcernFailed, UnsatisfiableWriteConcern.
    case 64, 100: .writeConcern
    // BadValue, FailedToParse, CannotCreateIndex, TypeMismatch, InvalidOptions, InvalidNamespace, DollarPrefixedFieldName,
    // ImmutableField, DocumentValidationFailure, IndexOptionsConflict, IndexKeySpecsConflict, BSONObjectTooLarge, and
    // unknown fields of commands and stages.
    case 2, 9, 14, 52, 66, 67, 72, 73, 85, 86, 121, 10334, 17280, 17419, 40324, 40415: .invalidInput
    default: .server
    }
  }
}
