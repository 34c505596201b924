import CRMMessaging
import Runtime
import ServiceHost

/// Merges send outcomes and vendor receipts into the log and the statistics, and files dead letters.
@main
struct ReceiptAggregator {
  static func main() async {
    await ServiceMain.run(.receiptAggregator) { context in
      let batch = context.settings[CRMSettings.mergeBatch]
      let merger = Merger(context)
      let merge = ConsumerLoop(
        name: "receipts",
        consumer: try context.consumer(of: .statusUpdates, .receipts, highWater: batch * 6),
        // One at a time: outcome and receipt of a send lie in partitions of the same number, which come to the same
        // process, so merges of one send never meet.
        .init(batch: batch, linger: .milliseconds(context.settings[CRMSettings.mergeLinger])),
        deadLetters: context.deadLetters(of: .receipts), metrics: context.instruments.consumer("receipts"),
        log: context.log,
        ended: { context.failure.set($0) }, decode: Told.decode, handle: merger.handle)
      let filing = DeadLetterFiling(store: context.store)
      let letters = ConsumerLoop(
        name: "dead-letters",
        consumer: try context.consumer(of: .deadLetters, highWater: 2000, fetchWait: .milliseconds(500)),
        .init(batch: 200, linger: .milliseconds(50)),
        deadLetters: context.deadLetters(of: .deadLetters), metrics: context.instruments.consumer("dead-letters"),
        log: context.log,
        ended: { context.failure.set($0) }, decode: DeadLetterFiling.decode, handle: filing.handle)
      return [merge, letters, CompletionWatch(merger, context)]
    }
  }
}
