import Kafka

/// The product's topics, declared once.
public enum Topic: String, CaseIterable, Sendable {
  case campaignJobs = "campaign.jobs"
  case sendJobs = "campaign.send_jobs"
  case statusUpdates = "campaign.status_updates"
  case receipts = "delivery.receipts"
  case deadLetters = "campaign.dlq"
  case ingestLeads = "ingest.leads"
  case ingestOrders = "ingest.orders"

  public var name: String { rawValue }

  /// The `schema` header: name and version of the value's shape. A dead letter keeps its origin's.
  public var schema: String {
    switch self {
    case .campaignJobs: "campaign-job/1"
    case .sendJobs: "send-job/1"
    case .statusUpdates: "status-update/1"
    case .receipts: "delivery-receipt/1"
    case .deadLetters: "dead-letter/1"
    case .ingestLeads: "lead-rows/1"
    case .ingestOrders: "order-rows/1"
    }
  }

  /// The consumer group that reads the topic. Topics that one consumer reads together share theirs.
  ///
  /// - Parameter prefix: `KAFKA_GROUP_ID`.
  public func consumerGroup(prefix: String) -> String {
    let reader =
      switch self {
      case .campaignJobs: "job-expander"
      case .sendJobs: "send-worker"
      case .statusUpdates, .receipts: "receipt-aggregator"
      case .deadLetters: "receipt-aggregator-dlq"
      case .ingestLeads: "ingest-worker-leads"
      case .ingestOrders: "ingest-worker-orders"
      }
    return "\(prefix)-\(reader)"
  }

  /// What a broker is asked for when the topic does not exist yet.
  ///
  /// Records are kept for a week, dead letters for a month; the log is the truth only until MongoDB has it.
  public func specification(partitions: Int, replication: Int) -> TopicSpec {
    let days = self == .deadLetters ? 30 : 7
    return TopicSpec(
      name: name, partitions: partitions, replication: replication,
      config: ["retention.ms": "\(days * 86_400_000)", "min.insync.replicas": replication >= 3 ? "2" : "1"])
  }
}
