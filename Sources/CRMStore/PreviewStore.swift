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
  /// Counts the leads that a rule finds, and shows some of them.
  ///
  /// - Parameter timeoutMS: for everything together.
  /// - Throws: `RuleError` when the rule is too large for the server; `MongoError` of kind `.timeout` when the server
  ///   needs longer.
  public func preview(_ rule: CompiledRule, sample: Int = 10, timeoutMS: Int) async throws -> RulePreview {
    let allowance = TimeAllowance(milliseconds: timeoutMS)
    var slices = AudienceSlices(rule, sizes: audienceSizes)
    var count = 0
    var shown: [Lead] = []
    while true {
      let wanted = sample - shown.count
      let found = try await ask(&slices, allowance) { slice, connection in
        let count = try Store.count(slice, connection, allowance)
        guard count > 0, wanted > 0 else { return (count, [Lead]()) }
        let options = FindOptions(sort: ["_id": 1], maxTimeMS: try allowance.remaining())
        let documents = try connection.findAll(Collections.leads, slice.filter, options, limit: wanted)
        return (count, try documents.map { try Lead(bson: $0) })
      }
      guard let found else { return RulePreview(count: count, sample: shown) }
      count += found.0
      shown += found.1
    }
  }

  /// The first leads that a rule finds, in the order of their ids.
  ///
  /// - Throws: as `preview`.
  public func sample(_ rule: CompiledRule, limit: Int, timeoutMS: Int) async throws -> [Lead] {
    let allowance = TimeAllowance(milliseconds: timeoutMS)
    var slices = AudienceSlices(rule, sizes: audienceSizes)
    var shown: [Lead] = []
    while shown.count < limit {
      let wanted = limit - shown.count
      let found = try await ask(&slices, allowance) { slice, connection in
        let options = FindOptions(sort: ["_id": 1], maxTimeMS: try allowance.remaining())
        return try connection.findAll(Collections.leads, slice.filter, options, limit: wanted)
          .map { try Lead(bson: $0) }
      }
      guard let found else { break }
      shown += found
    }
    return shown
  }

  /// How many leads a rule finds; nil when counting them takes longer than it may.
  ///
  /// - Throws: `RuleError` when the rule is too large for the server.
  public func countLeads(_ rule: CompiledRule, timeoutMS: Int) async throws -> Int? {
    do {
      return try await countLeads(rule, TimeAllowance(milliseconds: timeoutMS))
    } catch let error as MongoError where error.kind == .timeout {
      return nil
    }
  }

  func countLeads(_ rule: CompiledRule, _ allowance: TimeAllowance) async throws -> Int {
    var slices = AudienceSlices(rule, sizes: audienceSizes)
    var count = 0
    while let found = try await ask(&slices, allowance, { try Store.count($0, $1, allowance) }) { count += found }
    return count
  }

  /// Asks a question about the next stretch of a rule's leads.
  ///
  /// - Returns: nil when all have been asked about.
  func ask<Answer: Sendable>(
    _ slices: inout AudienceSlices, _ allowance: TimeAllowance,
    _ question: @escaping @Sendable (AudienceSlice, MongoConnection) throws -> Answer
  ) async throws -> Answer? {
    let start = slices
    let step = try await mongo.withConnection { connection -> (AudienceSlices, Answer)? in
      var slices = start
      guard let slice = try slices.next(connection, allowance) else { return nil }
      return (slices, try question(slice, connection))
    }
    guard let (moved, answer) = step else { return nil }
    slices = moved
    return answer
  }

  static func count(
    _ slice: AudienceSlice, _ connection: MongoConnection, _ allowance: TimeAllowance
  ) throws -> Int {
    if let ids = slice.ids { return ids.count }
    return try connection.count(Collections.leads, slice.filter, maxTimeMS: try allowance.remaining())
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
