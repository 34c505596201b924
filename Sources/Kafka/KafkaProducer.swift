import CRdKafka
import Runtime
import Synchronization

/// Produces records and waits for their delivery reports.
///
/// The producer is idempotent and asks for `acks=all`: a report means that every in-sync replica has the record, once.
/// Records of one partition keep the order in which they were produced. Close it with `close(timeoutMS:)`; one that is
/// merely dropped fails what it still holds and ends by itself.
public final class KafkaProducer: Sendable {
  private let core: ProducerCore

  /// Starts the client and its thread. The broker need not be there yet.
  ///
  /// - Throws: `.invalidConfiguration` for a setting librdkafka does not accept.
  public init(
    _ configuration: KafkaProducerConfiguration, log: @escaping KafkaLogHandler = discardKafkaLog
  ) throws(KafkaError) {
    core = try ProducerCore(configuration, log: log)
    core.startThread()
  }

  deinit {
    core.requestClose(flush: .zero)
  }

  /// Produces one record and waits for the broker's acknowledgement.
  ///
  /// Records of concurrent calls share requests. Cancelling the task does not take the record back: it ends the search
  /// for room in a full buffer, no more.
  /// - Throws: `.queueFull` (not sent), `.timedOut` (perhaps written), `.messageTooLarge`, `.unknownTopic`,
  ///   `.notAuthorised`, `.fatal`, `.closed`.
  @discardableResult
  public func produce(_ record: KafkaRecord) async throws(KafkaError) -> DeliveryReport {
    let results = await produce([record])
    guard let result = results.first else { throw .closed("producer") }
    return try result.get()
  }

  /// Produces records and waits for the broker's acknowledgement of all of them.
  ///
  /// - Throws: the first record's error that was not acknowledged, as of one record; others may have been written.
  public func produceAll(_ records: [KafkaRecord]) async throws(KafkaError) {
    for result in await produce(records) { _ = try result.get() }
  }

  /// Produces records and waits until each is acknowledged or has failed, within `enqueueTimeout` + `deliveryTimeout`.
  ///
  /// - Returns: a result for each record, in their order. Some may have failed while others were delivered.
  public func produce(_ records: [KafkaRecord]) async -> [Result<DeliveryReport, KafkaError>] {
    guard records.count > DeliveryID.maxBatch else { return await core.produce(records) }
    var results: [Result<DeliveryReport, KafkaError>] = []
    results.reserveCapacity(records.count)
    for start in stride(from: 0, to: records.count, by: DeliveryID.maxBatch) {
      results += await core.produce(Array(records[start..<min(start + DeliveryID.maxBatch, records.count)]))
    }
    return results
  }

  /// Records whose reports have not come yet.
  public var queuedRecords: Int { core.queuedRecords }

  /// True once records wait in more than nine tenths of the buffer: time to refuse work.
  public var isCongested: Bool { core.queuedRecords > core.maxBufferedRecords / 10 * 9 }

  public var health: KafkaHealth { core.context.health.snapshot }

  /// Waits up to `timeoutMS` milliseconds for outstanding records, fails the rest with `.closed`, and ends the client.
  ///
  /// May be called again, and by several tasks; each returns when the client has ended, at the latest some 10 s after
  /// the time-out.
  public func close(timeoutMS: Int = 10_000) async {
    let flush = Duration.milliseconds(timeoutMS)
    core.requestClose(flush: flush)
    guard await !core.closed.wasSet(within: flush + .seconds(10)) else { return }
    core.context.log(.error, "CLOSE", "the producer's client did not end in time; its threads are left behind")
  }

  /// Makes the client believe that idempotence has failed, for tests.
  func injectFatalError() {
    core.injectFatalError()
  }
}
