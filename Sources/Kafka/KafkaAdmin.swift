import CRdKafka
import Runtime
import Synchronization

/// Asks and tells the broker about topics and groups.
///
/// Every call blocks inside librdkafka on a thread of the admin's own pool, for at most its time-out (a group's lag: a
/// few times that).
public final class KafkaAdmin: Sendable {
  let client: ClientHandle
  private let context: ClientContext
  private let pool: BlockingPool
  private let closing = Mutex(false)
  private let closed = Latch<Void>()

  /// Starts a client. The broker need not be there yet.
  ///
  /// - Parameter extra: further settings by librdkafka's names.
  /// - Throws: `.invalidConfiguration`.
  public init(
    brokers: String, clientID: String, extra: [String: String] = [:], log: @escaping KafkaLogHandler = discardKafkaLog
  ) throws(KafkaError) {
    context = ClientContext(log: log)
    var settings = ClientSettings(brokers: brokers, clientID: clientID)
    // Asked for the offsets of a group whose coordinator has moved, librdkafka 2.0 looks up the client's own group, and
    // ends the process when there is none: every client but a consumer with a group. It joins no group.
    settings["group.id"] = "\(clientID)-admin"
    settings.merge(extra)
    client = try settings.makeClient(RD_KAFKA_CONSUMER, context: context)
    pool = BlockingPool(name: "kafka-admin", threads: 2, queueLimit: 1000)
  }

  deinit {
    guard closing.withLock({ !$0 }) else { return }
    Self.end(client, context: context, pool: pool, then: {})
  }

  /// Whether any broker answers within `timeout`.
  ///
  /// - Throws: `.unavailable`, `.timedOut`, `.notAuthorised`, `.closed`.
  public func ping(timeout: Duration = .seconds(2)) async throws(KafkaError) {
    try await blocking { [client] in try client.reachBroker(within: timeout) }
  }

  /// Waits for the calls under way, and ends the client. May be called again.
  public func close() async {
    let first = closing.withLock { closing in
      defer { closing = true }
      return !closing
    }
    if first { Self.end(client, context: context, pool: pool) { [closed] in closed.set(()) } }
    _ = await closed.wasSet(within: .seconds(60))
  }

  /// Runs a call that blocks.
  func blocking<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws(KafkaError) -> T {
    do {
      return try await pool.run(body)
    } catch let error as KafkaError {
      throw error
    } catch BlockingPoolError.overloaded {
      throw KafkaError(code: RD_KAFKA_RESP_ERR__QUEUE_FULL, message: "too many admin calls wait")
    } catch {
      throw .closed("admin client")
    }
  }

  private static func end(
    _ client: ClientHandle, context: ClientContext, pool: BlockingPool, then: @escaping @Sendable () -> Void
  ) {
    Task {
      await pool.shutdown()
      _ = OwnedThread.start(name: "kafka-admin-end") {
        client.destroy(context: context)
        then()
      }
    }
  }
}
