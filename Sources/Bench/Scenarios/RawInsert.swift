import BSON
import Mongo

/// The floor under scenario 1: the same documents inserted as they are, unordered, into a collection with the same unique
/// index on the e-mail addresses; same batches, same concurrency, same write concern, no HTTP, no reading, no upsert.
struct RawInsert: Sendable {
  private static let collection = "bench_floor"

  let database: BenchDatabase
  let meter: ProcessMeter

  /// - Parameter skipping: leads that came before those to be inserted.
  func run(skipping: Int = 0, expected: Int, _ checks: inout Checks) async throws -> StoreResult {
    let documents = try await database.leads(skipping: skipping, limit: expected)
    checks.expect("leads stored", documents.count, "the leads sent", expected)
    let batch = BulkLeads.batch
    let batches = stride(from: 0, to: documents.count, by: batch).map {
      Array(documents[$0..<min($0 + batch, documents.count)])
    }
    let client = database.client
    try await client.withConnection {
      try $0.createIndexes(Self.collection, [IndexModel(keys: ["emails": 1], name: "emails_unique", unique: true)])
    }
    let inserted = Counter()
    var reading = meter.begin()
    let began = ContinuousClock.now
    try await concurrently(batches.count, workers: BulkLeads.concurrency) { index in
      inserted.add(try await client.withConnection { try $0.insertManyOnce(Self.collection, batches[index]).inserted })
    }
    let seconds = began.duration(to: .now) / .seconds(1)
    let used = reading.end()
    checks.expect("documents inserted", inserted.total, "the leads stored", documents.count)
    return StoreResult(leads: documents.count, seconds: seconds, uses: used.processes, machine: used.machine)
  }

  func drop() async throws {
    try await database.client.withConnection { try $0.dropCollection(Self.collection) }
  }
}
