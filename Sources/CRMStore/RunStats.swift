import BSON
import CRMCore
import Crypto
import Mongo

/// A run's counters live in several slot documents, so that transactions that count at once seldom meet.
///
/// Every transaction adds a delta whose states sum to the growth of the audience, so each slot obeys the conservation law
/// by itself, and a snapshot read of all slots obeys it whenever it is made.
enum RunStats {
  static let slots = 32

  static func slotID(_ run: UUIDBytes, _ slot: Int) -> String { "\(run.string)/\(slot)" }

  /// Adds a delta within the transaction that changes the rows it counts.
  static func add(_ delta: CampaignStats, run: UUIDBytes, slot: Int, _ connection: MongoConnection) throws {
    var increments = BSONDocument()
    for (name, value) in delta.counters where value != 0 { increments.append(name, value) }
    guard !increments.isEmpty else { return }
    _ = try connection.updateOne(
      Collections.runStats, ["_id": .string(slotID(run, slot))],
      ["$inc": .document(increments), "$setOnInsert": ["run_id": .uuid(run.bytes)]], upsert: true)
  }

  /// The sum of all slots as one snapshot shows them.
  static func read(_ run: UUIDBytes, _ connection: MongoConnection) throws -> CampaignStats {
    try read([run], connection)[run] ?? CampaignStats()
  }

  /// The same of several runs; those without counters are missing.
  static func read(
    _ runs: [UUIDBytes], _ connection: MongoConnection, maxTimeMS: Int? = nil
  ) throws -> [UUIDBytes: CampaignStats] {
    let ids = runs.flatMap { run in (0..<slots).map { BSONValue.string(slotID(run, $0)) } }
    var options = FindOptions(maxTimeMS: maxTimeMS)
    if !connection.isInTransaction { options.readConcern = .snapshot }
    var totals: [UUIDBytes: CampaignStats] = [:]
    try connection.find(Collections.runStats, ["_id": ["$in": .array(ids)]], options) { document in
      guard let run = document["run_id"]?.uuidBytes.flatMap({ UUIDBytes(bytes: $0) }) else { return .more }
      for name in CampaignStats.counterNames {
        if let value = document[name]?.int64Value { totals[run, default: CampaignStats()].add(value, to: name) }
      }
      return .more
    }
    return totals
  }
}

extension Store {
  /// The counters of a run: disjoint states that sum to its audience, whenever they are read.
  public func stats(ofRun run: UUIDBytes) async throws -> CampaignStats {
    try await mongo.withConnection { try RunStats.read(run, $0) }
  }
}
