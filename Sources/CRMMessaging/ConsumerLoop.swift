import CivilTime
import JSON
import Kafka
import Runtime
import Synchronization

/// A decoded record with what is needed to complete or bury it.
public struct Incoming<Message: Sendable>: Sendable {
  public let record: ConsumedRecord
  public let message: Message
  public let trace: TraceContext

  public init(record: ConsumedRecord, message: Message, trace: TraceContext) {
    self.record = record
    self.message = message
    self.trace = trace
  }
}

/// What became of a batch: every record not named as poison is done.
public struct BatchOutcome: Sendable {
  /// Index within the batch, and why it goes to the dead letters.
  public var poison: [(index: Int, error: PoisonError)]

  public init(poison: [(index: Int, error: PoisonError)] = []) { self.poison = poison }

  public static var done: BatchOutcome { BatchOutcome() }
}

/// The way every consumer goes: read a batch, decode, handle, bury what is poison, complete the offsets.
///
/// An error that the handler throws is weather (a dependency is away): the same batch is tried again with backoff for as
/// long as the process lives, and its offsets stay where they are. `PoisonError` thrown for a batch of one buries it; for
/// a larger batch each record is then handled alone, so that one bad record takes none of its neighbours along.
public final class ConsumerLoop<Message: Sendable>: Service {
  public struct Configuration: Sendable {
    /// Records handled together at most.
    public var batch: Int
    /// How long to wait for a batch to fill once its first record is there.
    public var linger: Duration
    /// Batches handled at once.
    public var concurrency: Int
    public var backoff: Backoff

    public init(
      batch: Int, linger: Duration = .zero, concurrency: Int = 1,
      backoff: Backoff = Backoff(base: .milliseconds(100), cap: .seconds(5))
    ) {
      self.batch = batch
      self.linger = linger
      self.concurrency = concurrency
      self.backoff = backoff
    }
  }

  public typealias Decode = @Sendable (ConsumedRecord) throws(PoisonError) -> Message
  public typealias Handle = @Sendable ([Incoming<Message>]) async throws -> BatchOutcome

  public let name: String
  private let consumer: KafkaConsumer
  private let configuration: Configuration
  private let deadLetters: DeadLetterPublisher
  private let metrics: ConsumerMetrics
  private let log: Logger
  private let decode: Decode
  private let handle: Handle
  private let ended: @Sendable (String) -> Void
  private let tasks = Mutex<[Task<Void, Never>]>([])
  private let stopping = Latch<Void>()

  /// - Parameter ended: told when the consumer ends though nobody has stopped it; the process cannot go on then.
  public init(
    name: String, consumer: KafkaConsumer, _ configuration: Configuration, deadLetters: DeadLetterPublisher,
    metrics: ConsumerMetrics, log: Logger, ended: @escaping @Sendable (String) -> Void, decode: @escaping Decode,
    handle: @escaping Handle
  ) {
    self.name = name
    self.consumer = consumer
    self.configuration = configuration
    self.deadLetters = deadLetters
    self.metrics = metrics
    self.log = log
    self.decode = decode
    self.handle = handle
    self.ended = ended
  }

  public func start() async throws {
    try consumer.start()
    tasks.withLock { tasks in
      for _ in 0..<max(1, configuration.concurrency) {
        tasks.append(Task { await self.run() })
      }
    }
  }

  public func stop(grace: Duration) async {
    stopping.set(())
    await consumer.close(drain: grace)
    for task in tasks.withLock({ $0 }) { await task.value }
  }

  private var isStopping: Bool { stopping.value != nil }

  private func run() async {
    while let batch = await consumer.nextBatch(
      max: configuration.batch, wait: .seconds(1), linger: configuration.linger)
    {
      guard !batch.isEmpty else { continue }
      await process(batch)
    }
    if !isStopping {
      let cause = consumer.health.fatalError.map { "\($0)" } ?? "no cause given"
      ended("the consumer \(name) ended by itself: \(cause)")
    }
  }

  /// Returns when every record of the batch is completed, or without completing any of the rest when stopping.
  private func process(_ batch: [ConsumedRecord]) async {
    let began = ContinuousClock.now
    var letters: [KafkaRecord] = []
    var incoming: [Incoming<Message>] = []
    incoming.reserveCapacity(batch.count)
    for record in batch {
      do throws(PoisonError) {
        incoming.append(Incoming(record: record, message: try decode(record), trace: record.trace))
      } catch {
        letters.append(bury(record, error))
      }
    }
    if isFaulty(.commitBeforeEffect) {
      consumer.complete(batch.map(\.position))
      _ = await pause(.seconds(1))
    }
    guard await handleUntilDone(incoming, letters: &letters), await publish(letters) else { return }
    consumer.complete(batch.map(\.position))
    metrics.handled(batch.count, in: began.duration(to: .now))
  }

  /// - Returns: false when the process stops before the batch could be handled.
  private func handleUntilDone(_ incoming: [Incoming<Message>], letters: inout [KafkaRecord]) async -> Bool {
    guard !incoming.isEmpty else { return true }
    let firstFailure = Mutex<Timestamp?>(nil)
    var attempt = 0
    while true {
      do {
        let outcome = try await handle(incoming)
        for (index, error) in outcome.poison where incoming.indices.contains(index) {
          letters.append(
            bury(incoming[index].record, error, attempts: attempt + 1, since: firstFailure.withLock { $0 }))
        }
        return true
      } catch let error as PoisonError {
        guard incoming.count > 1 else {
          letters.append(bury(incoming[0].record, error, attempts: attempt + 1, since: firstFailure.withLock { $0 }))
          return true
        }
        for single in incoming {
          guard await handleUntilDone([single], letters: &letters) else { return false }
        }
        return true
      } catch {
        let now = SystemClock().now()
        firstFailure.withLock { $0 = $0 ?? now }
        metrics.retried()
        let delay = configuration.backoff.delay(attempt: attempt)
        log.warning(
          "\(name): a batch could not be handled and is tried again",
          [
            LogKey.error: .string("\(error)"), LogKey.count: .int(Int64(incoming.count)),
            "attempt": .int(Int64(attempt + 1)),
          ])
        guard await pause(delay) else { return false }
        attempt += 1
      }
    }
  }

  private func publish(_ letters: [KafkaRecord]) async -> Bool {
    guard !letters.isEmpty else { return true }
    var attempt = 0
    failpoint(.buryBegin)
    while true {
      do {
        try await deadLetters.publish(letters)
        failpoint(.buryPublished)
        return true
      } catch {
        log.warning("\(name): dead letters were not acknowledged", [LogKey.error: .string("\(error)")])
        guard await pause(configuration.backoff.delay(attempt: attempt)) else { return false }
        attempt += 1
      }
    }
  }

  private func bury(
    _ record: ConsumedRecord, _ error: PoisonError, attempts: Int = 1, since: Timestamp? = nil
  ) -> KafkaRecord {
    metrics.buried(error.errorClass)
    log.error(
      "\(name): record goes to the dead letters",
      [
        LogKey.topic: .string(record.topic), LogKey.partition: .int(Int64(record.partition)),
        LogKey.offset: .int(record.offset), "error_class": .string(error.errorClass),
        LogKey.error: .string(error.message),
        LogKey.traceparent: .string(record.trace.description),
      ])
    return deadLetters.deadLetter(for: record, error, attempts: attempts, firstFailure: since)
  }

  /// Waits; false when the process is stopping.
  private func pause(_ delay: Duration) async -> Bool {
    if isStopping { return false }
    try? await Task.sleep(for: delay)
    return !isStopping
  }
}

/// The counters of one consumer.
public struct ConsumerMetrics: Sendable {
  private let records: Counter
  private let retries: Counter
  private let letters: MetricFamily<Counter>
  private let consumer: String
  private let seconds: Histogram

  public init(
    consumer: String, records: MetricFamily<Counter>, retries: MetricFamily<Counter>,
    letters: MetricFamily<Counter>, seconds: MetricFamily<Histogram>
  ) {
    self.consumer = consumer
    self.records = records.labels(consumer)
    self.retries = retries.labels(consumer)
    self.letters = letters
    self.seconds = seconds.labels(consumer)
  }

  func handled(_ count: Int, in duration: Duration) {
    records.add(count)
    seconds.observe(duration)
  }

  func retried() { retries.add() }

  func buried(_ errorClass: String) { letters.labels(consumer, errorClass).add() }
}
