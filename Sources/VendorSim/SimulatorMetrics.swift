import Runtime

/// What the simulator counts.
struct SimulatorMetrics: Sendable {
  private let effective: Counter
  private let repeated: Counter
  private let syncSeconds: Histogram
  private let syncLines: Histogram
  let receipts: MetricFamily<Counter>

  init(_ registry: MetricsRegistry) {
    let messages = registry.counter(
      "minicrm_vendor_messages_total", help: "Calls written to the ledger.", labels: ["effective"])
    effective = messages.labels("true")
    repeated = messages.labels("false")
    syncSeconds = registry.histogram(
      "minicrm_vendor_ledger_sync_seconds", help: "Time to write and sync a group of ledger lines."
    ).labels()
    syncLines = registry.histogram(
      "minicrm_vendor_ledger_group_lines", help: "Ledger lines that shared one sync.",
      buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
    ).labels()
    receipts = registry.counter(
      "minicrm_vendor_receipts_total", help: "Attempts to deliver a receipt, by what came of them.",
      labels: ["outcome"])
  }

  func accepted(_ messages: [AcceptedMessage]) {
    let count = messages.count { $0.effective }
    effective.add(count)
    repeated.add(messages.count - count)
  }

  func synced(_ lines: Int, in duration: Duration) {
    syncSeconds.observe(duration)
    syncLines.observe(Double(lines))
  }
}
