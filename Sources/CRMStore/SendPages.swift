import BSON
import CRMCore
import Crypto
import Mongo

/// Reads the log of a run in the order of its send ids, a page at a time: memory holds one page, and the server nothing in
/// between. A send is read as it is when the walk comes to it.
public struct SendPages: Sendable {
  private static let sends = 500

  private let store: Store
  private let run: UUIDBytes?
  private var cursor: BSONValue?

  init(run: UUIDBytes?, store: Store) {
    self.run = run
    self.store = store
  }

  /// The next rows; empty at the end. The same page can be asked for again after an error.
  public mutating func next() async throws -> [BSONDocument] {
    guard let run else { return [] }
    var filter: BSONDocument = ["run_id": .uuid(run.bytes)]
    if let cursor { filter.append("_id", ["$gt": cursor]) }
    let wanted = filter
    let options = FindOptions(sort: ["_id": 1], batchSize: 100)
    let page = try await store.mongo.withConnection { connection in
      try connection.findAll(Collections.communicationLogs, wanted, options, limit: Self.sends)
    }
    cursor = page.last?["_id"] ?? cursor
    return page
  }
}

extension Store {
  /// The sends of a campaign's current run, or of another. Those whose rows are not written yet (PENDING) are not in it.
  ///
  /// - Throws: `StoreError.notFound` for an unknown campaign, or for a run that is not this campaign's.
  public func sendPages(ofCampaign id: ObjectID, run wanted: UUIDBytes?) async throws -> SendPages {
    SendPages(run: try await runStats(ofCampaign: id, run: wanted).run?.id, store: self)
  }
}
