import BSON
import CRMCore
import CivilTime
import JSON
import Mongo

/// A rule with the zone in which its calendar words are meant.
public struct ZonedRule: Sendable {
  public let rule: Rule
  public let zone: CalendarZone

  public init(rule: Rule, zone: CalendarZone) {
    self.rule = rule
    self.zone = zone
  }
}

extension Store {
  /// Segments that one rule may draw in, directly or through others.
  static let segmentLimit = 200

  /// A rule's meaning at one instant, with the segments it refers to as they are stored now.
  ///
  /// - Parameter assumed: segments that are about to be stored; they stand for what is stored under their ids.
  /// - Throws: `RuleError` for a segment that does not exist or cannot be understood, a cycle, or a range that is the wrong
  ///   way round at this instant.
  public func compile(
    _ rule: ZonedRule, now: Timestamp, assuming assumed: [ObjectID: ZonedRule] = [:]
  ) async throws -> CompiledRule {
    var known = assumed
    var missing = rule.rule.segments.subtracting(known.keys)
    while !missing.isEmpty, known.count < Store.segmentLimit {
      let found = try await zonedRules(ofSegments: Array(missing.prefix(Store.segmentLimit)))
      known.merge(found) { first, _ in first }
      missing = Set(found.values.flatMap(\.rule.segments)).subtracting(known.keys)
    }
    return try rule.rule.compiled(now: now, zone: rule.zone) { id in known[id].map { ($0.rule, $0.zone) } }
  }

  private func zonedRules(ofSegments ids: [ObjectID]) async throws -> [ObjectID: ZonedRule] {
    try await mongo.withConnection { connection in
      var rules: [ObjectID: ZonedRule] = [:]
      let filter: BSONDocument = ["_id": ["$in": .array(ids.map { .objectID($0) })]]
      for document in try connection.findAll(Collections.segments, filter, limit: ids.count) {
        let segment = try Segment(bson: document)
        guard let zone = CalendarZone(identifier: segment.timezone) else { continue }
        rules[segment.id] = ZonedRule(rule: try Rule.decode(segment.rule), zone: zone)
      }
      return rules
    }
  }

  /// The filter that finds a rule's leads: conditions about orders and campaigns are answered first, for all leads at once.
  ///
  /// - Parameter timeoutMS: for each of those questions.
  /// - Throws: `RuleError` as `compile`, and when the filter would be too large for the server; `MongoError` of kind
  ///   `.timeout` when a question takes longer than it may.
  public func filter(
    of rule: ZonedRule, now: Timestamp, timeoutMS: Int
  ) async throws -> BSONDocument {
    let compiled = try await compile(rule, now: now)
    guard !compiled.behaviours.isEmpty else { return try compiled.filter() }
    return try await mongo.withConnection { connection in
      try compiled.filter { query in
        query.filter(found: try Store.leads(answering: query, timeoutMS: timeoutMS, connection))
      }
    }
  }

  private static func leads(
    answering query: BehaviourQuery, timeoutMS: Int, _ connection: MongoConnection
  ) throws -> [ObjectID] {
    // An id in a filter takes at least 15 bytes; one more than fit makes the filter refuse itself.
    let most = RuleLimits.filterBytes / 15 + 1
    var leads: [ObjectID] = []
    let options = AggregateOptions(batchSize: 10_000, allowDiskUse: true, maxTimeMS: timeoutMS)
    try connection.aggregate(query.collection, query.leadsPipeline, options: options) { document in
      if let id = document["_id"]?.objectIDValue { leads.append(id) }
      return leads.count < most ? .more : .stop
    }
    return leads
  }
}

extension Rule {
  /// The segments that the rule itself names.
  fileprivate var segments: Set<ObjectID> {
    switch self {
    case .and(let children), .or(let children): children.reduce(into: []) { $0.formUnion($1.segments) }
    case .not(let child): child.segments
    case .segment(let id): [id]
    case .condition, .orders, .campaign: []
    }
  }
}
