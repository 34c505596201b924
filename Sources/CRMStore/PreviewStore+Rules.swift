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
  /// - Parameters:
  ///   - assumed: segments that are about to be stored; they stand for what is stored under their ids.
  ///   - isForOneLead: conditions are to be decided by what they name, with the actual value, although there may be a faster
  ///     way to the same decision for many leads.
  /// - Throws: `RuleError` for a segment that does not exist or cannot be understood, a cycle, or a range that is the wrong
  ///   way round at this instant.
  public func compile(
    _ rule: ZonedRule, now: Timestamp, assuming assumed: [ObjectID: ZonedRule] = [:], isForOneLead: Bool = false
  ) async throws -> CompiledRule {
    var known = assumed
    var missing = rule.rule.segments.subtracting(known.keys)
    while !missing.isEmpty, known.count < Store.segmentLimit {
      let found = try await zonedRules(ofSegments: Array(missing.prefix(Store.segmentLimit)))
      known.merge(found) { first, _ in first }
      missing = Set(found.values.flatMap(\.rule.segments)).subtracting(known.keys)
    }
    let hasTotals = try await orderTotalsAreComplete()
    let asksOrders = hasTotals && !isForOneLead && ([rule] + known.values).contains { $0.rule.hasOrderWindow }
    let hasLaterOrders = asksOrders ? try await hasOrders(after: now) : true
    return try rule.rule.compiled(
      now: now, zone: rule.zone, hasOrderTotals: hasTotals, hasLaterOrders: hasLaterOrders
    ) { id in known[id].map { ($0.rule, $0.zone) } }
  }

  private func hasOrders(after time: Timestamp) async throws -> Bool {
    try await mongo.withConnection { connection in
      let later: BSONDocument = ["ordered_at": ["$gt": .date(milliseconds: time.milliseconds)]]
      return try connection.findOne(Collections.orders, later, FindOptions(projection: ["_id": 1])) != nil
    }
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
}

extension Rule {
  /// Whether a condition of the rule itself is about all orders of a time up to now.
  fileprivate var hasOrderWindow: Bool {
    switch self {
    case .and(let children), .or(let children): children.contains(where: \.hasOrderWindow)
    case .not(let child): child.hasOrderWindow
    case .orders(let orders): orders.within != nil && orders.filter == nil
    case .condition, .campaign, .segment: false
    }
  }

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
