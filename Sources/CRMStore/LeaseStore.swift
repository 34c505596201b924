import BSON
import Mongo

extension Store {
  /// Takes or renews a named lease for one owner; MongoDB's clock decides when it has run out.
  ///
  /// - Returns: false while somebody else holds it.
  public func acquireLease(_ name: String, owner: String, seconds: Int) async throws -> Bool {
    try await mongo.withConnection { connection in
      let free: BSONValue = ["$lte": [["$ifNull": ["$until", .date(milliseconds: 0)]], "$$NOW"]]
      let mine: BSONValue = ["$eq": ["$owner", .string(owner)]]
      let until: BSONValue = ["$dateAdd": ["startDate": "$$NOW", "unit": "second", "amount": .int64(Int64(seconds))]]
      let takes: BSONValue = ["$or": [free, mine]]
      do {
        let lease = try connection.findAndModify(
          Collections.leases, ["_id": .string(name)],
          pipeline: [
            [
              "$set": [
                "owner": ["$cond": [takes, .string(owner), "$owner"]], "until": ["$cond": [takes, until, "$until"]],
              ]
            ]
          ], returnNew: true, upsert: true)
        return lease?["owner"]?.stringValue == owner
      } catch let error as MongoError where error.kind == .duplicateKey {
        return false  // two first holders at once: the other one was faster
      }
    }
  }

  /// Lets go of a lease, so that the next owner need not wait for its end.
  public func releaseLease(_ name: String, owner: String) async throws {
    try await mongo.withConnection { connection in
      _ = try connection.deleteOne(Collections.leases, ["_id": .string(name), "owner": .string(owner)])
    }
  }
}
