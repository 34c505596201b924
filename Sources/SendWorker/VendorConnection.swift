import HTTP
import JSON
import Runtime
import ServiceHost
import Synchronization

/// Owns the vendors' HTTP client and asks each vendor every minute whether it answers.
final class VendorConnection: Service {
  let name = "vendors"
  private let client: HTTPClient
  private let vendor: any Vendor
  private let log: Logger
  private let gauge: Gauge
  private let task = Mutex<Task<Void, Never>?>(nil)
  private static let interval = Duration.seconds(60)

  init(client: HTTPClient, vendor: any Vendor, _ context: ServiceContext) {
    self.client = client
    self.vendor = vendor
    log = context.log
    gauge = context.metrics.gauge(
      "minicrm_vendor_up", help: "1 when the vendor answered its last heartbeat.", labels: ["vendor"]
    ).labels(vendor.name)
  }

  func start() async throws {
    let beating = Task { [self] in
      while !Task.isCancelled {
        let answers = await vendor.heartbeat()
        gauge.set(answers ? 1 : 0)
        if !answers, !Task.isCancelled { log.warning("vendor does not answer", ["vendor": .string(vendor.name)]) }
        try? await Task.sleep(for: Self.interval)
      }
    }
    task.withLock { $0 = beating }
  }

  func stop(grace: Duration) async {
    let beating = task.withLock { $0 }
    beating?.cancel()
    await beating?.value
    await client.close()
  }
}
