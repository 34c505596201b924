/// What a competent Node stack without the guarantees reaches: Fastify, kafkajs, the official MongoDB driver, batches
/// throughout; same topics and flow, 100,000 leads, two cores, real Kafka and MongoDB.
///
/// Measured elsewhere, on the same kind of machine: a comparison of orders of magnitude, not a race.
enum Reference {
  static let note = "reference: a Node stack without the guarantees, elsewhere measured, 2 cores"

  static let bulkLeads = 24_000.0...32_000.0
  static let messages = 1_900.0...2_000.0
  static let receipts = 3_000.0...3_000.0
  /// CPU microseconds per message.
  static let cpuPerMessage: [String: Double] = [
    "api-gateway": 200, "vendor-sim": 124, "send-worker": 69, "receipt-aggregator": 65, "job-expander": 43,
    "mongod": 216, "broker": 159,
  ]
  /// Peak resident memory of each of its processes, in MB.
  static let residentMB = 120.0...170.0
}
