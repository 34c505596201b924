import CRdKafka

/// Why a Kafka operation failed, sorted by what the caller can do about it.
public struct KafkaError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The family of an error; each says what helps.
  public enum Kind: String, Sendable, CaseIterable {
    /// A setting, a topic name or an argument is not acceptable: correct it, trying again does not help.
    case invalidConfiguration
    /// The producer's buffer stayed full until the deadline; the record was not sent: shed load, try again later.
    case queueFull
    /// The broker did not answer in time. A produced record may have been written: only deterministic ids make
    /// another attempt safe.
    case timedOut
    /// No broker, leader or coordinator can be reached at the moment: try again later.
    case unavailable
    /// The client can do nothing any more (idempotence is broken, the member is fenced): close it and make a new one.
    case fatal
    /// The record is larger than the client or the topic allows: it will never be accepted as it is.
    case messageTooLarge
    /// The topic or partition does not exist (yet): create it, or try again after it has been created.
    case unknownTopic
    /// The credentials are refused, or not enough for this operation: an operator has to act.
    case notAuthorised
    /// The broker does not know this operation.
    case unsupported
    /// The client has been closed (or closes): the operation was not, or not wholly, carried out.
    case closed
    /// Anything else; `name` and `message` say what.
    case other
  }

  public let kind: Kind
  /// librdkafka's `rd_kafka_resp_err_t`: negative for errors of the client, positive for the broker's, 0 for our own.
  public let code: Int32
  /// The code's symbolic name, such as `_QUEUE_FULL` or `MSG_SIZE_TOO_LARGE`.
  public let name: String
  /// A sentence for people.
  public let message: String

  public init(kind: Kind, code: Int32, name: String, message: String) {
    self.kind = kind
    self.code = code
    self.name = name
    self.message = message
  }

  /// True when the client that reported the error must be replaced.
  public var isFatal: Bool { kind == .fatal }

  /// True when the same call may succeed later without anyone changing anything.
  public var isRetriable: Bool {
    switch kind {
    case .queueFull, .timedOut, .unavailable: true
    default: false
    }
  }

  public var description: String { "\(name): \(message)" }
}

extension KafkaError {
  /// The error for one of librdkafka's codes; `message` defaults to librdkafka's own text.
  init(code: rd_kafka_resp_err_t, message: String? = nil) {
    self.init(
      kind: Kind(code: code), code: code.rawValue, name: String(cString: rd_kafka_err2name(code)),
      message: message ?? String(cString: rd_kafka_err2str(code)))
  }

  /// A fatal error: `code` is the cause that librdkafka keeps beside the general `_FATAL`.
  static func fatal(cause code: rd_kafka_resp_err_t, message: String) -> KafkaError {
    KafkaError(kind: .fatal, code: code.rawValue, name: String(cString: rd_kafka_err2name(code)), message: message)
  }

  static func invalidConfiguration(_ message: String) -> KafkaError {
    KafkaError(
      kind: .invalidConfiguration, code: RD_KAFKA_RESP_ERR__INVALID_ARG.rawValue, name: "_INVALID_ARG", message: message
    )
  }

  static func closed(_ what: String) -> KafkaError {
    KafkaError(
      kind: .closed, code: RD_KAFKA_RESP_ERR__DESTROY.rawValue, name: "_DESTROY", message: "the \(what) is closed")
  }

  /// Takes over an error object of librdkafka.
  init(consuming error: OpaquePointer) {
    let code = rd_kafka_error_code(error)
    let text = String(cString: rd_kafka_error_string(error))
    let fatal = rd_kafka_error_is_fatal(error) != 0
    rd_kafka_error_destroy(error)
    self = fatal ? .fatal(cause: code, message: text) : KafkaError(code: code, message: text)
  }
}

extension KafkaError.Kind {
  init(code: rd_kafka_resp_err_t) {
    switch code {
    case RD_KAFKA_RESP_ERR__QUEUE_FULL:
      self = .queueFull
    case RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE,
      RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
      self = .timedOut
    case RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, RD_KAFKA_RESP_ERR__RESOLVE,
      RD_KAFKA_RESP_ERR__WAIT_COORD, RD_KAFKA_RESP_ERR__WAIT_CACHE, RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE,
      RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
      RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE,
      RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
      RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
      RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR:
      self = .unavailable
    case RD_KAFKA_RESP_ERR__FATAL, RD_KAFKA_RESP_ERR__FENCED, RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
      self = .fatal
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
      self = .messageTooLarge
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
      RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      self = .unknownTopic
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
      RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED,
      RD_KAFKA_RESP_ERR__AUTHENTICATION:
      self = .notAuthorised
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION,
      RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED:
      self = .unsupported
    case RD_KAFKA_RESP_ERR__DESTROY, RD_KAFKA_RESP_ERR__PURGE_QUEUE, RD_KAFKA_RESP_ERR__PURGE_INFLIGHT:
      self = .closed
    case RD_KAFKA_RESP_ERR__INVALID_ARG, RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, RD_KAFKA_RESP_ERR_INVALID_PARTITIONS,
      RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR, RD_KAFKA_RESP_ERR_INVALID_CONFIG,
      RD_KAFKA_RESP_ERR_INVALID_REQUEST:
      self = .invalidConfiguration
    default:
      self = .other
    }
  }
}
