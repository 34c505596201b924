import CRMCore
import CRMMessaging
import HTTP
import Runtime
import ServiceHost

/// Claims sends, calls vendors under their limits, and tells what came of it.
@main
struct SendWorker {
  static func main() async {
    await ServiceMain.run(.sendWorker) { context in
      let settings = context.settings
      let terms = try VendorRoster.terms(settings)
      let concurrency = settings[CRMSettings.sendConcurrency]
      let calls = terms.map { $0.concurrency(general: concurrency) * $0.channels.count }
      let client = try HTTPClient(maxConnectionsPerHost: calls.max() ?? 1, maxConcurrent: calls.reduce(8, +))
      let timeout = Duration.milliseconds(settings[CRMSettings.sendTimeout])
      let roster = VendorRoster(
        terms.map { SimulatorVendor(client: client, terms: $0, timeout: timeout) }, store: context.store,
        settings: settings)
      let sender = Sender(context, roster)
      let batch = min(settings[CRMSettings.sendBatch], max(64, concurrency * 2))
      let loop = ConsumerLoop(
        name: "send-jobs", consumer: try context.consumer(of: .sendJobs, highWater: batch * 4),
        .init(batch: batch, linger: .milliseconds(20), concurrency: 3),
        deadLetters: context.deadLetters(of: .sendJobs), metrics: context.instruments.consumer("send-jobs"),
        log: context.log,
        ended: { context.failure.set($0) }, decode: Sender.decode, handle: sender.handle)
      return [
        VendorConnection(client: client, vendors: roster.vendors, context), Inquirer(context, roster).service(context),
        loop,
        StopSignal(sender.stopping),
      ]
    }
  }
}

/// Stops first, so that waits inside the sender end before its consumer drains.
struct StopSignal: Service {
  let name = "stop-signal"
  private let latch: Latch<Void>

  init(_ latch: Latch<Void>) { self.latch = latch }

  func start() async throws {}
  func stop(grace: Duration) async { latch.set(()) }
}
