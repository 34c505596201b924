import BSON
import Mongo

/// The product's database, looked at past the product.
struct BenchDatabase: Sendable {
  let client: MongoClient

  func serverVersion() async throws -> String {
    try await client.withConnection { try $0.command(["buildInfo": 1]) }["version"]?.stringValue ?? "unknown"
  }

  /// Leads as they are stored, oldest first.
  func leads(skipping: Int, limit: Int) async throws -> [BSONDocument] {
    let options = FindOptions(sort: ["_id": 1], skip: skipping, batchSize: 5000)
    return try await client.withConnection { try $0.findAll("leads", [:], options, limit: limit) }
  }

  /// Delivered sends of a campaign: send id, vendor, the vendor's message id.
  func delivered(limit: Int) async throws -> [BSONDocument] {
    let options = FindOptions(projection: ["_id": 1, "vendor": 1, "vendor_message_id": 1], batchSize: 5000)
    return try await client.withConnection {
      try $0.findAll("communication_logs", ["status": "DELIVERED"], options, limit: limit)
    }
  }
}
