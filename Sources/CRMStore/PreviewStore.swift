import BSON
import CRMCore
import Mongo

/// What a rule finds.
public struct RulePreview: Sendable {
  public let count: Int
  /// Some of the leads, in the order of their ids.
  public let sample: [Lead]
}

extension Store {
  /// Counts the leads that match a translated rule, and shows some of them.
  ///
  /// - Parameter timeoutMS: for the count and for the sample each.
  /// - Throws: `MongoError` of kind `.timeout` when the server needs longer.
  public func preview(_ filter: BSONDocument, sample: Int = 10, timeoutMS: Int) async throws -> RulePreview {
    try await mongo.withConnection { connection in
      let count = try connection.count(Collections.leads, filter, maxTimeMS: timeoutMS)
      guard count > 0, sample > 0 else { return RulePreview(count: count, sample: []) }
      let options = FindOptions(sort: ["_id": 1], maxTimeMS: timeoutMS)
      let documents = try connection.findAll(Collections.leads, filter, options, limit: sample)
      return RulePreview(count: count, sample: try documents.map { try Lead(bson: $0) })
    }
  }

  /// How many leads match a translated rule; nil when counting them takes longer than it may.
  public func countLeads(_ filter: BSONDocument, timeoutMS: Int) async throws -> Int? {
    do {
      return try await mongo.withConnection { try $0.count(Collections.leads, filter, maxTimeMS: timeoutMS) }
    } catch let error as MongoError where error.kind == .timeout {
      return nil
    }
  }

  /// Leads by their ids, in the order asked for; unknown ones are missing.
  public func leads(_ ids: [ObjectID]) async throws -> [Lead] {
    guard !ids.isEmpty else { return [] }
    return try await mongo.withConnection { connection in
      var found: [ObjectID: Lead] = [:]
      let filter: BSONDocument = ["_id": ["$in": .array(ids.map { .objectID($0) })]]
      for document in try connection.findAll(Collections.leads, filter, limit: ids.count) {
        let lead = try Lead(bson: document)
        found[lead.id] = lead
      }
      return ids.compactMap { found[$0] }
    }
  }
}
