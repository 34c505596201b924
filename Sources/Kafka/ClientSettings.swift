import CRdKafka

/// A client of librdkafka. Its calls are thread-safe; whoever owns the client sees to it that none is under way when it
/// is destroyed.
struct ClientHandle: @unchecked Sendable {
  // Unchecked because pointers are not Sendable; librdkafka locks inside.
  let pointer: OpaquePointer
}

/// Settings of a client by librdkafka's names, in the order in which they are applied: later ones win.
struct ClientSettings: Sendable {
  private var values: [(name: String, value: String)] = []

  init(brokers: String, clientID: String) {
    self["bootstrap.servers"] = brokers
    self["client.id"] = clientID
    // A broker closing idle connections is no news.
    self["log.connection.close"] = "false"
    self["socket.keepalive.enable"] = "true"
    self["reconnect.backoff.max.ms"] = "2000"
    // Small requests wait for nothing.
    self["socket.nagle.disable"] = "true"
  }

  subscript(name: String) -> String {
    get { values.last { $0.name == name }?.value ?? "" }
    set { values.append((name, newValue)) }
  }

  /// The caller's own settings; in the order of their names so that the outcome is always the same.
  mutating func merge(_ extra: [String: String]) {
    for (name, value) in extra.sorted(by: { $0.key < $1.key }) { self[name] = value }
  }

  /// Checks names and values without making a client.
  func validate() throws(KafkaError) {
    rd_kafka_conf_destroy(try configuration())
  }

  /// Makes a client, which keeps `context` alive until `destroy`.
  ///
  /// - Parameter events: `RD_KAFKA_EVENT_*` to be delivered as events rather than by callbacks.
  func makeClient(
    _ type: rd_kafka_type_t, context: ClientContext, events: Int32 = 0
  ) throws(KafkaError) -> ClientHandle {
    let configuration = try configuration()
    if events != 0 { rd_kafka_conf_set_events(configuration, events) }
    context.install(in: configuration, rebalances: type == RD_KAFKA_CONSUMER)
    var text = [CChar](repeating: 0, count: 512)
    guard let client = rd_kafka_new(type, configuration, &text, text.count) else {
      rd_kafka_conf_destroy(configuration)
      throw .invalidConfiguration(text.withUnsafeBufferPointer { string(in: $0) })
    }
    _ = Unmanaged.passRetained(context)
    return ClientHandle(pointer: client)
  }

  private func configuration() throws(KafkaError) -> OpaquePointer {
    let configuration = rd_kafka_conf_new()!
    var text = [CChar](repeating: 0, count: 512)
    for (name, value) in values {
      guard rd_kafka_conf_set(configuration, name, value, &text, text.count) == RD_KAFKA_CONF_OK else {
        rd_kafka_conf_destroy(configuration)
        throw .invalidConfiguration(text.withUnsafeBufferPointer { string(in: $0) })
      }
    }
    return configuration
  }
}

extension ClientHandle {
  /// Destroys the client; blocks until its threads have ended. No call on it may be under way, nor follow.
  func destroy(context: ClientContext) {
    // A consumer is closed by its loop, where the wait has a bound.
    rd_kafka_destroy_flags(pointer, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
    Unmanaged.passUnretained(context).release()
  }

  /// Asks any broker for its metadata; blocks for at most `limit`. Throws `.unavailable` or `.timedOut`.
  func reachBroker(within limit: Duration) throws(KafkaError) {
    var metadata: UnsafePointer<rd_kafka_metadata>?
    let code = rd_kafka_metadata(pointer, 0, nil, &metadata, limit.wholeMilliseconds)
    if let metadata { rd_kafka_metadata_destroy(metadata) }
    guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw KafkaError(code: code) }
  }
}

extension Duration {
  /// Milliseconds as C takes them: at least 1 for anything above nothing, never negative, at most a day.
  var wholeMilliseconds: Int32 {
    guard self > .zero else { return 0 }
    let (seconds, attoseconds) = components
    guard seconds < 86_400 else { return 86_400_000 }
    return Int32(max(1, seconds * 1000 + attoseconds / 1_000_000_000_000_000))
  }
}
