import CRdKafka
import Runtime
import Synchronization

/// The producer's client, what is under way, and the thread that serves reports.
///
/// Any task hands records to librdkafka, which does not block; one thread reads the reports and ends the client. Calls
/// are counted, so that the thread destroys the client only when nobody is inside.
final class ProducerCore: Sendable {
  private struct State {
    var table = DeliveryTable<CheckedContinuation<[Delivery], Never>>()
    /// Tasks that use the client now.
    var calls = 0
    var closing: (deadline: ContinuousClock.Instant, Void)?
    var destroyed = false
    /// Topic handles are made once: looking one up by name costs a walk of librdkafka's list under its lock.
    var topics: [String: ClientHandle] = [:]
  }

  let context: ClientContext
  let closed = Latch<Void>()
  let maxBufferedRecords: Int
  private let enqueueTimeout: Duration
  private let client: ClientHandle
  private let queue: ClientHandle
  private let state = Mutex(State())

  init(_ configuration: KafkaProducerConfiguration, log: @escaping KafkaLogHandler) throws(KafkaError) {
    context = ClientContext(log: log)
    maxBufferedRecords = configuration.maxBufferedRecords
    enqueueTimeout = configuration.enqueueTimeout
    client = try configuration.settings.makeClient(
      RD_KAFKA_PRODUCER, context: context, events: RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR)
    queue = ClientHandle(pointer: rd_kafka_queue_get_main(client.pointer))
  }

  func startThread() {
    _ = OwnedThread.start(name: "kafka-producer") { [self] in run() }
  }

  var queuedRecords: Int {
    withClient { Int(rd_kafka_outq_len($0)) } ?? 0
  }

  /// At most `DeliveryID.maxBatch` records.
  func produce(_ records: [KafkaRecord]) async -> [Result<DeliveryReport, KafkaError>] {
    guard !records.isEmpty else { return [] }
    let batch = state.withLock { $0.table.open(count: records.count) }
    var next = enqueue(records, from: 0, batch: batch)
    if next < records.count {
      let deadline = ContinuousClock.now + enqueueTimeout
      var pause = Duration.milliseconds(2)
      while next < records.count {
        let cancelled = await (try? Task.sleep(for: pause)) == nil
        if cancelled || ContinuousClock.now >= deadline { break }
        pause = min(pause * 2, .milliseconds(50))
        next = enqueue(records, from: next, batch: batch)
      }
      settle(
        (next..<records.count).map { (DeliveryID(batch: batch, index: $0), .failed(RD_KAFKA_RESP_ERR__QUEUE_FULL)) })
    }
    let deliveries = await withCheckedContinuation { continuation in
      let known = state.withLock { $0.table.wait(for: batch, continuation) }
      if let known { continuation.resume(returning: known) }
    }
    return zip(records, deliveries).map { result(of: $0, $1) }
  }

  private func result(of record: KafkaRecord, _ delivery: Delivery) -> Result<DeliveryReport, KafkaError> {
    guard delivery.code != 0 else {
      return .success(DeliveryReport(topic: record.topic, partition: delivery.partition, offset: delivery.offset))
    }
    let code = rd_kafka_resp_err_t(delivery.code)
    if code == RD_KAFKA_RESP_ERR__FATAL, let cause = context.health.fatalError { return .failure(cause) }
    return .failure(KafkaError(code: code))
  }

  /// Hands records to librdkafka until one finds the buffer full; returns that one's index, or the count.
  private func enqueue(_ records: [KafkaRecord], from start: Int, batch: UInt64) -> Int {
    var refused: [(DeliveryID, Delivery)] = []
    var next = start
    let entered: Void? = withClient { client in
      var topic: (name: String, handle: OpaquePointer)?
      while next < records.count {
        let record = records[next]
        if topic?.name != record.topic { topic = handle(of: record.topic, client: client).map { (record.topic, $0) } }
        let id = DeliveryID(batch: batch, index: next)
        let code =
          topic.map { send(record, id: id, topic: $0.handle, client: client) } ?? RD_KAFKA_RESP_ERR__INVALID_ARG
        if code == RD_KAFKA_RESP_ERR__QUEUE_FULL { return }
        if code != RD_KAFKA_RESP_ERR_NO_ERROR { refused.append((id, .failed(code))) }
        next += 1
      }
    }
    if entered == nil {
      refused = (start..<records.count).map {
        (DeliveryID(batch: batch, index: $0), .failed(RD_KAFKA_RESP_ERR__DESTROY))
      }
      next = records.count
    }
    settle(refused)
    return next
  }

  private func handle(of topic: String, client: OpaquePointer) -> OpaquePointer? {
    if let known = state.withLock({ $0.topics[topic] }) { return known.pointer }
    // librdkafka would look for a topic of an impossible name until the record's time is up.
    guard isTopicName(topic), let made = rd_kafka_topic_new(client, topic, nil) else { return nil }
    let handle = ClientHandle(pointer: made)
    let other = state.withLock { state in
      defer { if state.topics[topic] == nil { state.topics[topic] = handle } }
      return state.topics[topic]
    }
    guard let other else { return made }
    rd_kafka_topic_destroy(made)
    return other.pointer
  }

  private func send(
    _ record: KafkaRecord, id: DeliveryID, topic: OpaquePointer, client: OpaquePointer
  ) -> rd_kafka_resp_err_t {
    var headers: OpaquePointer?
    if !record.headers.isEmpty {
      headers = rd_kafka_headers_new(record.headers.count)
      for header in record.headers {
        _ = header.value.withUnsafeBytes { value in
          // Null would become Kafka's null header value rather than an empty one.
          rd_kafka_header_add(headers, header.name, -1, value.baseAddress ?? emptyBytes, value.count)
        }
      }
    }
    let code = withOptionalBytes(record.key) { key, keySize in
      withOptionalBytes(record.value) { value, valueSize in
        crdkafka_produce(
          client, topic, record.partition ?? -1, key, keySize, value, valueSize, headers, id.rawValue)
      }
    }
    if code != RD_KAFKA_RESP_ERR_NO_ERROR, let headers { rd_kafka_headers_destroy(headers) }
    return code
  }

  private func settle(_ deliveries: [(DeliveryID, Delivery)]) {
    guard !deliveries.isEmpty else { return }
    let finished = state.withLock { state in deliveries.compactMap { state.table.settle($0, $1) } }
    for batch in finished { batch.waiter.resume(returning: batch.deliveries) }
  }
}

// MARK: - Life

extension ProducerCore {
  /// Runs `body` with the client, which lives until `body` has returned; nil once the producer closes.
  private func withClient<T>(_ body: (OpaquePointer) -> T) -> T? {
    let open = state.withLock { state in
      guard state.closing == nil, !state.destroyed else { return false }
      state.calls += 1
      return true
    }
    guard open else { return nil }
    defer { state.withLock { $0.calls -= 1 } }
    return body(client.pointer)
  }

  /// Lets the thread flush until then and end. The first call decides.
  func requestClose(flush: Duration) {
    let first = state.withLock { state in
      guard state.closing == nil else { return false }
      state.closing = (ContinuousClock.now + flush, ())
      // Counted as a call: the queue stays valid until the wake-up below is through.
      state.calls += 1
      return true
    }
    guard first else { return }
    rd_kafka_queue_yield(queue.pointer)
    state.withLock { $0.calls -= 1 }
  }

  func injectFatalError() {
    _ = withClient {
      rd_kafka_test_fatal_error($0, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, "injected by a test")
    }
  }

  private func run() {
    var nextProbe = ContinuousClock.now
    var deadline: ContinuousClock.Instant?
    while deadline == nil {
      serve(.milliseconds(100))
      if context.health.allBrokersDown, ContinuousClock.now >= nextProbe {
        nextProbe = .now + .seconds(1)
        if (try? client.reachBroker(within: .milliseconds(100))) != nil { context.health.reached() }
      }
      deadline = state.withLock { $0.closing?.deadline }
    }
    shutDown(by: deadline ?? .now)
  }

  /// Reads one event, waiting up to `limit`; a report event carries the reports of many records.
  private func serve(_ limit: Duration) {
    guard let event = rd_kafka_queue_poll(queue.pointer, limit.wholeMilliseconds) else { return }
    defer { rd_kafka_event_destroy(event) }
    switch rd_kafka_event_type(event) {
    case RD_KAFKA_EVENT_DR:
      var deliveries: [(DeliveryID, Delivery)] = []
      deliveries.reserveCapacity(rd_kafka_event_message_count(event))
      var delivered = false
      while let message = rd_kafka_event_message_next(event) {
        let delivery = Delivery(
          code: message.pointee.err.rawValue, partition: message.pointee.partition, offset: message.pointee.offset)
        if delivery.code == 0 { delivered = true }
        deliveries.append((DeliveryID(rawValue: crdkafka_delivery_id(message)), delivery))
      }
      if delivered, context.health.allBrokersDown { context.health.reached() }
      settle(deliveries)
    case RD_KAFKA_EVENT_ERROR:
      // A fatal event carries the cause as its code, where a callback would get the general one.
      let fatal = rd_kafka_event_error_is_fatal(event) != 0
      let code = fatal ? RD_KAFKA_RESP_ERR__FATAL : rd_kafka_event_error(event)
      context.report(describeError(of: client.pointer, code: code, reason: rd_kafka_event_error_string(event)))
    default:
      break
    }
  }

  private func shutDown(by deadline: ContinuousClock.Instant) {
    while state.withLock({ $0.calls }) > 0 { serve(.milliseconds(1)) }
    while rd_kafka_outq_len(client.pointer) > 0, ContinuousClock.now < deadline {
      // Flushing lifts the linger; the reports come as events.
      rd_kafka_flush(client.pointer, 1)
      serve(.milliseconds(10))
    }
    if rd_kafka_outq_len(client.pointer) > 0 {
      rd_kafka_purge(client.pointer, Int32(RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT))
      let last = ContinuousClock.now + .seconds(1)
      while rd_kafka_outq_len(client.pointer) > 0, ContinuousClock.now < last { serve(.milliseconds(10)) }
    }
    let (finished, topics) = state.withLock { state in
      state.destroyed = true
      defer { state.topics = [:] }
      return (state.table.settleAll(.failed(RD_KAFKA_RESP_ERR__DESTROY)), state.topics)
    }
    for batch in finished { batch.waiter.resume(returning: batch.deliveries) }
    for topic in topics.values { rd_kafka_topic_destroy(topic.pointer) }
    rd_kafka_queue_destroy(queue.pointer)
    client.destroy(context: context)
    closed.set(())
  }
}

/// Whether Kafka allows the name: up to 249 letters, digits, dots, underscores and hyphens, and not one or two dots.
func isTopicName(_ name: String) -> Bool {
  guard (1...249).contains(name.utf8.count), name != ".", name != ".." else { return false }
  return name.utf8.allSatisfy { byte in
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
      true
    default: false
    }
  }
}

/// Lends the bytes to C: null for nil, a pointer to nothing in particular for none.
private func withOptionalBytes<T>(_ bytes: [UInt8]?, _ body: (UnsafeRawPointer?, Int) -> T) -> T {
  guard let bytes else { return body(nil, 0) }
  return bytes.withUnsafeBytes { body($0.baseAddress ?? emptyBytes, $0.count) }
}

/// Stands for "empty, not null" where C tells them apart by the pointer; never read.
private var emptyBytes: UnsafeRawPointer { UnsafeRawPointer(bitPattern: 1).unsafelyUnwrapped }
