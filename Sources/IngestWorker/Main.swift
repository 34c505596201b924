import CRMMessaging
import CRMStore
import Runtime
import ServiceHost

/// Imports leads and orders that the gateway hands over row by row.
@main
struct IngestWorker {
  /// How long to wait for a batch to fill: a row is in no hurry, a batch costs hardly more than a row.
  private static let linger = Duration.milliseconds(50)

  static func main() async {
    await ServiceMain.run(.ingestWorker) { context in
      let store = context.store
      let currency = context.settings[CRMSettings.baseCurrency]
      return [
        try loop(IngestHandler(.lead, progress: store, rows: LeadRows(store: store)), context),
        try loop(
          IngestHandler(.order, progress: store, rows: OrderRows(store: store, baseCurrency: currency)), context),
      ]
    }
  }

  /// One batch at a time: a partition's rows are counted in their order (see `JobWatermark`).
  private static func loop(_ handler: IngestHandler, _ context: ServiceContext) throws -> ConsumerLoop<IngestRecord> {
    let batch = context.settings[CRMSettings.ingestBatch]
    let topic = handler.kind.topic
    return ConsumerLoop(
      name: topic.name,
      // Nobody waits for the first rows of an import.
      consumer: try context.consumer(of: topic, highWater: 4 * batch, fetchWait: .milliseconds(250)),
      .init(batch: batch, linger: linger, concurrency: 1),
      deadLetters: context.deadLetters(of: topic), metrics: context.instruments.consumer(topic.name), log: context.log,
      ended: { context.failure.set($0) }, decode: handler.decode, handle: handler.handle)
  }
}
