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
      let concurrency = settings[CRMSettings.sendConcurrency]
      let client = try HTTPClient(maxConnectionsPerHost: concurrency, maxConcurrent: concurrency)
      let vendor = SimulatorVendor(
        client: client, baseURL: settings[CRMSettings.vendorURL],
        timeout: .milliseconds(settings[CRMSettings.sendTimeout]))
      let batch = min(settings[CRMSettings.sendBatch], max(64, concurrency * 2))
      let sender = Sender(
        context, vendor: VendorGate(vendor: vendor, concurrency: concurrency, store: context.store, settings: settings))
      let loop = ConsumerLoop(
        name: "send-jobs", consumer: try context.consumer(of: .sendJobs, highWater: batch * 4),
        .init(batch: batch, linger: .milliseconds(20), concurrency: 3),
        deadLetters: context.deadLetters(of: .sendJobs), metrics: context.instruments.consumer("send-jobs"),
        log: context.log,
        ended: { context.failure.set($0) }, decode: Sender.decode, handle: sender.handle)
      return [VendorConnection(client: client, vendor: vendor, context), loop, StopSignal(sender.stopping)]
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
