import CRdKafka
import Runtime
import Synchronization

/// A Kafka broker inside this process: librdkafka's mock cluster.
///
/// A real listener on 127.0.0.1 that every client can use, kcat too, with consumer groups and idempotent producers, for
/// development and tests. What it does not have:
/// - a port of one's choice: each broker picks a free one;
/// - disk: everything is gone with the process;
/// - room: **each partition keeps only its newest 5 MB**, so declare many partitions and watch the lag;
/// - CreateTopics by clients: use `createTopic`; topics that clients merely use come up with 4 partitions;
/// - quick groups: a new group waits 3 s for members, so a session time-out must be longer (4 s will do), and a group
///   that changes waits for its session time-out less a second. Meanwhile it takes no commits: what completed since the
///   last one comes again.
public final class EmbeddedBroker: Sendable {
  /// A kind of request, for errors to inject.
  public enum Request: Int16, Sendable {
    case produce = 0
    case fetch = 1
    case listOffsets = 2
    case metadata = 3
    case offsetCommit = 8
    case offsetFetch = 9
    case findCoordinator = 10
    case joinGroup = 11
    case heartbeat = 12
    case leaveGroup = 13
    case syncGroup = 14
    case initProducerID = 22
  }

  private struct Cluster {
    let client: ClientHandle
    let cluster: ClientHandle
  }

  /// `host:port` of each broker, separated by commas.
  public let bootstrapServers: String

  private let context: ClientContext
  private let state: Mutex<Cluster?>
  private let closed = Latch<Void>()

  /// Starts listening.
  ///
  /// - Parameter brokers: how many brokers the cluster has, 1 to 16.
  /// - Throws: `.invalidConfiguration`, or `.other` when no port could be opened.
  public init(brokers: Int = 1, log: @escaping KafkaLogHandler = discardKafkaLog) throws(KafkaError) {
    guard (1...16).contains(brokers) else { throw .invalidConfiguration("a cluster has 1 to 16 brokers") }
    context = ClientContext(log: log)
    // The cluster lives in a client of its own, which has nothing else to do.
    let client = try ClientSettings(brokers: "", clientID: "embedded-broker").makeClient(
      RD_KAFKA_PRODUCER, context: context)
    guard let cluster = rd_kafka_mock_cluster_new(client.pointer, Int32(brokers)) else {
      client.destroy(context: context)
      throw KafkaError(code: RD_KAFKA_RESP_ERR__FAIL, message: "the embedded broker could not open a port")
    }
    bootstrapServers = String(cString: rd_kafka_mock_cluster_bootstraps(cluster))
    state = Mutex(Cluster(client: client, cluster: ClientHandle(pointer: cluster)))
  }

  deinit {
    close()
  }

  /// Creates a topic.
  ///
  /// - Throws: `.other` with the code `TOPIC_ALREADY_EXISTS`, `.invalidConfiguration`, `.closed`.
  public func createTopic(_ name: String, partitions: Int) throws(KafkaError) {
    guard (1...10_000).contains(partitions) else { throw .invalidConfiguration("a topic has 1 to 10,000 partitions") }
    try call { rd_kafka_mock_topic_create($0, name, Int32(partitions), 1) }
  }

  /// Lets the next requests of a kind fail with these codes (`rd_kafka_resp_err_t`), one each; `-195` (`_TRANSPORT`)
  /// makes the broker hang up instead.
  public func fail(_ request: Request, with codes: [Int32]) throws(KafkaError) {
    let errors = codes.map { rd_kafka_resp_err_t($0) }
    try call { cluster in
      rd_kafka_mock_push_request_errors_array(cluster, request.rawValue, errors.count, errors)
      return RD_KAFKA_RESP_ERR_NO_ERROR
    }
  }

  /// Takes back errors that were not met yet.
  public func clearFailures(of request: Request) throws(KafkaError) {
    try call { cluster in
      rd_kafka_mock_clear_request_errors(cluster, request.rawValue)
      return RD_KAFKA_RESP_ERR_NO_ERROR
    }
  }

  /// Cuts every connection and accepts none until `setUp`.
  public func setDown() throws(KafkaError) {
    try call { rd_kafka_mock_broker_set_down($0, -1) }
  }

  public func setUp() throws(KafkaError) {
    try call { rd_kafka_mock_broker_set_up($0, -1) }
  }

  /// Delays every answer, in milliseconds.
  public func setRoundTrip(milliseconds: Int) throws(KafkaError) {
    try call { rd_kafka_mock_broker_set_rtt($0, -1, Int32(clamping: milliseconds)) }
  }

  /// Stops the broker, without waiting for that: `waitUntilClosed` does. What it held is gone. May be called again.
  public func close() {
    let taken = state.withLock { state in
      defer { state = nil }
      return state
    }
    guard let taken else { return }
    _ = OwnedThread.start(name: "kafka-embedded") { [context, closed] in
      rd_kafka_mock_cluster_destroy(taken.cluster.pointer)
      taken.client.destroy(context: context)
      closed.set(())
    }
  }

  /// Returns when a closed broker's threads and ports are gone, at the latest after 30 s.
  public func waitUntilClosed() async {
    _ = await closed.wasSet(within: .seconds(30))
  }

  /// The mock cluster serves calls on its own thread within moments; the lock keeps it from being closed meanwhile.
  private func call(_ body: (OpaquePointer) -> rd_kafka_resp_err_t) throws(KafkaError) {
    let code = state.withLock { state in state.map { body($0.cluster.pointer) } }
    guard let code else { throw .closed("embedded broker") }
    guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaError(code: code) }
  }
}
