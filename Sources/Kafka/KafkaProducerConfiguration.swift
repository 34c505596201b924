/// Settings of a `KafkaProducer`.
public struct KafkaProducerConfiguration: Sendable {
  /// Bootstrap servers, `host:port` separated by commas.
  public var brokers: String
  public var clientID: String
  /// How long a record waits for others to share its request, in milliseconds.
  public var lingerMS: Int = 5
  /// `none`, `gzip`, `snappy`, `lz4` or `zstd`.
  public var compression: String = "lz4"
  /// Records that may wait for the broker; above that `produce` backs off.
  public var maxBufferedRecords: Int = 100_000
  /// Bytes that may wait for the broker, counted in kibibytes by librdkafka.
  public var maxBufferedBytes: Int = 64 << 20
  /// How long `produce` tries to find room in a full buffer before it gives up with `.queueFull`.
  public var enqueueTimeout: Duration = .seconds(5)
  /// From enqueueing to the broker's acknowledgement, retries included; then `.timedOut`.
  public var deliveryTimeout: Duration = .seconds(30)
  /// The largest record the client accepts, in bytes; topics have a limit of their own.
  public var maxMessageBytes: Int = 1_000_000
  /// Further settings by librdkafka's names; they win over everything above.
  public var extra: [String: String] = [:]

  public init(brokers: String, clientID: String) {
    self.brokers = brokers
    self.clientID = clientID
  }

  var settings: ClientSettings {
    var settings = ClientSettings(brokers: brokers, clientID: clientID)
    settings["enable.idempotence"] = "true"
    settings["acks"] = "all"
    settings["compression.type"] = compression
    settings["linger.ms"] = String(lingerMS)
    settings["queue.buffering.max.messages"] = String(max(1, maxBufferedRecords))
    settings["queue.buffering.max.kbytes"] = String(max(1, maxBufferedBytes / 1024))
    settings["delivery.timeout.ms"] = String(max(1, deliveryTimeout.wholeMilliseconds))
    settings["message.max.bytes"] = String(maxMessageBytes)
    // The Java client's partitioner, so that every producer of a topic agrees on a key's partition.
    settings["partitioner"] = "murmur2_random"
    settings.merge(extra)
    return settings
  }
}
