import CRMMessaging
import Runtime

/// The metrics that processes share, declared once. Each name begins with `minicrm_`.
public struct Instruments: Sendable {
  public let consumedRecords: MetricFamily<Counter>
  public let consumerRetries: MetricFamily<Counter>
  public let deadLetters: MetricFamily<Counter>
  public let batchSeconds: MetricFamily<Histogram>
  public let stageSeconds: MetricFamily<Histogram>
  public let httpRequests: MetricFamily<Counter>
  public let httpSeconds: MetricFamily<Histogram>
  public let sends: MetricFamily<Counter>
  public let receiptAnomalies: MetricFamily<Counter>
  public let swept: MetricFamily<Counter>
  public let dependencyUp: MetricFamily<Gauge>
  public let auditIncomplete: Counter
  public let eventListeners: Gauge

  private let process: String

  public init(_ registry: MetricsRegistry, process: String) {
    self.process = process
    consumedRecords = registry.counter(
      "minicrm_consumed_records_total", help: "Records handled and completed.", labels: ["consumer"])
    consumerRetries = registry.counter(
      "minicrm_consumer_retries_total", help: "Batches tried again because a dependency was away.", labels: ["consumer"]
    )
    deadLetters = registry.counter(
      "minicrm_dead_letters_total", help: "Records sent to campaign.dlq.", labels: ["consumer", "error_class"])
    batchSeconds = registry.histogram(
      "minicrm_batch_seconds", help: "Time from taking a batch to completing it.", labels: ["consumer"])
    stageSeconds = registry.histogram(
      "minicrm_stage_seconds", help: "Time spent in a stage of the data's way, per batch.",
      labels: ["process", "stage"])
    httpRequests = registry.counter(
      "minicrm_http_requests_total", help: "Requests answered.", labels: ["method", "route", "status"])
    httpSeconds = registry.histogram(
      "minicrm_http_request_seconds", help: "Time from a request's head to its answer.", labels: ["route"])
    sends = registry.counter(
      "minicrm_sends_total", help: "Vendor calls by what came of them.", labels: ["vendor", "outcome"])
    receiptAnomalies = registry.counter(
      "minicrm_receipt_anomalies_total", help: "Evidence against the expected order.", labels: ["kind"])
    swept = registry.counter(
      "minicrm_swept_total", help: "Lost work that a sweep found and took up again.", labels: ["kind"])
    dependencyUp = registry.gauge(
      "minicrm_dependency_up", help: "1 when a dependency answered its last check.", labels: ["dependency"])
    auditIncomplete = registry.counter(
      "minicrm_audit_incomplete_total", help: "Entries of the audit log whose outcome could not be added."
    ).labels()
    eventListeners = registry.gauge(
      "minicrm_event_listeners", help: "Clients that listen to campaigns (server-sent events)."
    ).labels()
    ProcessUsage.register(in: registry)
  }

  public func consumer(_ name: String) -> ConsumerMetrics {
    ConsumerMetrics(
      consumer: name, records: consumedRecords, retries: consumerRetries, letters: deadLetters, seconds: batchSeconds)
  }

  /// The histogram of one stage of this process.
  public func stage(_ name: String) -> Histogram { stageSeconds.labels(process, name) }
}
