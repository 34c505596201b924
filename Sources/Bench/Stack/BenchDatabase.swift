import BSON
import Mongo

/// The product's database, looked at past the product.
struct BenchDatabase: Sendable {
  let client: MongoClient

  func serverVersion() async throws -> String {
    try await client.withConnection { try $0.command(["buildInfo": 1]) }["version"]?.stringValue ?? "unknown"
  }

  /// Every lead as it is stored.
  func leads(limit: Int) async throws -> [BSONDocument] {
    try await client.withConnection { try $0.findAll("leads", [:], .init(batchSize: 5000), limit: limit) }
  }

  /// Delivered sends of a campaign: send id, vendor, the vendor's message id.
  func delivered(limit: Int) async throws -> [BSONDocument] {
    let options = FindOptions(projection: ["_id": 1, "vendor": 1, "vendor_message_id": 1], batchSize: 5000)
    return try await client.withConnection {
      try $0.findAll("communication_logs", ["status": "DELIVERED"], options, limit: limit)
    }
  }
}
