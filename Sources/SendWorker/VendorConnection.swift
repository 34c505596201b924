import CRMCore
import HTTP
import JSON
import Runtime
import ServiceHost
import Synchronization

/// Owns the vendors' HTTP client and asks each vendor every so often whether it answers.
final class VendorConnection: Service {
  let name = "vendors"
  private let client: HTTPClient
  private let vendors: [any Vendor]
  private let log: Logger
  private let health: HealthBoard
  private let clock: any WallClock
  private let up: MetricFamily<Gauge>
  private let interval: Duration
  private let tasks = Mutex<[Task<Void, Never>]>([])

  init(client: HTTPClient, vendors: [any Vendor], _ context: ServiceContext) {
    self.client = client
    self.vendors = vendors
    log = context.log
    health = context.health
    clock = context.clock
    interval = .seconds(context.settings[CRMSettings.vendorHeartbeat])
    up = context.metrics.gauge(
      "minicrm_vendor_up", help: "1 when the vendor answered its last heartbeat.", labels: ["vendor"])
  }

  func start() async throws {
    let beating = vendors.map { vendor in Task { await self.watch(vendor) } }
    tasks.withLock { $0 = beating }
  }

  private func watch(_ vendor: any Vendor) async {
    var answered = true
    while !Task.isCancelled {
      let answers = await vendor.heartbeat()
      if Task.isCancelled { return }
      up.labels(vendor.name).set(answers ? 1 : 0)
      health.note(
        vendor.name, in: "vendors",
        ["status": answers ? "up" : "down", "checked_at": .string(clock.now().description)])
      if answers != answered {
        let fields: KeyValuePairs<String, JSONValue> = ["vendor": .string(vendor.name)]
        if answers { log.info("vendor answers again", fields) } else { log.warning("vendor does not answer", fields) }
      }
      answered = answers
      try? await Task.sleep(for: interval)
    }
  }

  func stop(grace: Duration) async {
    let beating = tasks.withLock { $0 }
    for task in beating { task.cancel() }
    for task in beating { await task.value }
    await client.close()
  }
}
