import BSON
import CRMCore
import CRMStore
import Crypto
import Mongo

/// What each index adds to an insert: the server's processor time for the same rows into an empty collection with that
/// index beside `_id`, less that without it.
struct IndexCosts {
  let mongo: BenchMongo
  let process: MeasuredProcess
  let console: Console
  let rows: Int

  struct Result: Sendable {
    let collection: String
    /// Nil: `_id` alone.
    let index: String?
    /// Of the server's processor time a row.
    let microseconds: Double
  }

  private static let rounds = 3
  private static let batch = 5_000

  func run() async throws -> [Result] {
    var results: [Result] = []
    for (collection, documents) in samples() {
      let indexes = try await indexes(of: collection)
      var samples = Array(repeating: Samples(), count: indexes.count + 1)
      for round in 0..<Self.rounds {
        console.progress("  \(collection), round \(round + 1)")
        for (place, index) in ([nil] + indexes.map(Optional.some)).enumerated() {
          try Task.checkCancellation()
          samples[place].add(try await insert(documents, index))
        }
      }
      let bare = samples[0].median
      results.append(Result(collection: collection, index: nil, microseconds: bare))
      for (index, sample) in zip(indexes, samples[1...]) {
        results.append(Result(collection: collection, index: index.name, microseconds: sample.median - bare))
      }
    }
    return results
  }

  /// Rows in an order that no index likes: their leads come at random.
  private func samples() -> [(String, [BSONDocument])] {
    var leads = VariedLeads(seed: 5)
    let leadRows = (0..<rows).map { leads.next($0) }
    let ids = leadRows.map(\.id)
    var orders = VariedOrders(seed: 6)
    let (campaign, run) = (ObjectID(), UUIDBytes())
    var random = SplitMix64(state: 7)
    return [
      (Collections.leads, leadRows.map { $0.bson() }),
      (Collections.orders, (0..<rows).map { orders.next($0, leads: ids).bson() }),
      (
        Collections.communicationLogs,
        ids.shuffled(using: &random).map { lead in
          LoggedMessage.document(lead: lead, campaign: campaign, run: run, status: .queued, at: VariedLeads.now)
        }
      ),
    ]
  }

  /// The product's own indexes of a collection, without `_id`.
  private func indexes(of collection: String) async throws -> [IndexModel] {
    let reply = try await mongo.client.withConnection { try $0.command(["listIndexes": .string(collection)]) }
    return (reply[path: "cursor.firstBatch"]?.arrayValue ?? []).compactMap { index in
      guard let name = index["name"]?.stringValue, name != "_id_", let keys = index["key"]?.documentValue else {
        return nil
      }
      return IndexModel(
        keys: keys, name: name, unique: index["unique"]?.boolValue ?? false,
        partialFilter: index["partialFilterExpression"]?.documentValue)
    }
  }

  /// - Returns: microseconds a row.
  private func insert(_ documents: [BSONDocument], _ index: IndexModel?) async throws -> Double {
    let name = "index_cost"
    return try await mongo.client.withConnection { connection in
      _ = try connection.command(["create": .string(name)])
      if let index { try connection.createIndexes(name, [index]) }
      let began = process.cpuSeconds
      for start in stride(from: 0, to: documents.count, by: Self.batch) {
        let batch = documents[start..<min(start + Self.batch, documents.count)]
        try connection.insertMany(name, Array(batch)).throwIfFailed()
      }
      let used = process.cpuSeconds - began
      _ = try connection.command(["drop": .string(name)])
      return used / Double(documents.count) * 1e6
    }
  }
}
