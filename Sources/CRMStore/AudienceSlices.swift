import BSON
import CRMCore
import Mongo

/// A stretch of the leads in `_id` order, with what finds a rule's leads in it.
struct AudienceSlice: Sendable {
  /// Finds the rule's leads of this stretch among all leads.
  let filter: BSONDocument
  /// The rule's leads of this stretch in `_id` order, where they are known without another question; at most
  /// `Sizes.stretch`.
  let ids: [ObjectID]?
  /// The leads for whom the rule's questions were answered; nil: for all.
  let candidates: [ObjectID]?
}

/// Puts a rule to the database stretch by stretch, so that neither a filter nor memory grows with the audience.
///
/// What a rule asks about orders and messages cannot stand in a filter over leads; the ids of the leads that it finds can.
/// A million of them cannot. So:
/// - A rule without such conditions is one stretch, its filter the rule's own.
/// - Conditions that few orders can fulfil, and those for which every order has to be read anyway, are answered for all
///   leads at once: one stretch, with the ids in its filter, or in memory when they are too many for it.
/// - Otherwise the leads that the rest of the rule leaves are taken a stretch at a time, and the conditions answered for
///   these only. A selective rest makes that one stretch, too.
struct AudienceSlices: Sendable {
  struct Sizes: Sendable {
    /// Candidates of one stretch: their ids take half a megabyte in a filter.
    var stretch = 20_000
    /// Orders up to which the conditions of a rule are answered for all leads at once in any case.
    var fewDocuments = 200_000
    /// As many of them if they are a small part of all orders. The leads they find are held in memory, 12 bytes each.
    var mostDocuments = 2_000_000
    /// Ids of leads in one filter.
    var idsInFilter = 200_000
  }

  /// Above this part of all orders, asking about a stretch of leads at a time is no slower.
  private static let smallPart = 8

  let sizes: Sizes
  let rule: CompiledRule
  /// A further condition on the leads.
  let narrowing: BSONDocument
  /// The last lead of interest; nil: there is none.
  let upperBound: ObjectID?
  /// Candidates of one stretch. What many conditions find has to fit into one filter.
  private let size: Int
  /// What the behaviour conditions find among all leads, sorted; nil: that is asked for each stretch.
  private var answers: [[ObjectID]]?
  private var cursor: ObjectID?
  private(set) var isAtEnd = false
  private var hasBegun = false

  init(
    _ rule: CompiledRule, narrowing: BSONDocument = [:], after cursor: ObjectID? = nil, upTo bound: ObjectID? = nil,
    sizes: Sizes
  ) {
    self.sizes = sizes
    self.rule = rule
    size = min(sizes.stretch, max(100, 10 * sizes.stretch / max(1, rule.behaviours.count)))
    self.narrowing = narrowing
    upperBound = bound
    self.cursor = cursor
  }

  /// The next stretch; nil when all leads have been walked.
  ///
  /// - Throws: `RuleError` when the filter would be too large for the server; `MongoError` of kind `.timeout` when there is
  ///   not enough time.
  mutating func next(_ connection: MongoConnection, _ allowance: TimeAllowance) throws -> AudienceSlice? {
    guard !isAtEnd else { return nil }
    defer { hasBegun = true }
    guard !rule.behaviours.isEmpty else {
      isAtEnd = true
      return AudienceSlice(filter: bounded([try rule.filter()]), ids: nil, candidates: nil)
    }
    let candidates = try self.candidates(connection, allowance)
    let isLast = candidates.count <= size
    if !isLast, !hasBegun, try areForAllLeads(connection, allowance) {
      let found = try rule.behaviours.map { try leads($0, $0.leadsPipeline, connection, allowance) }
      if found.reduce(0, { $0 + $1.count }) <= sizes.idsInFilter {
        isAtEnd = true
        return AudienceSlice(filter: bounded([try filter(found)]), ids: nil, candidates: nil)
      }
      answers = found.map { $0.sorted() }
    }
    isAtEnd = isLast
    let slice = try answered(Array(candidates.prefix(size)), connection, allowance)
    cursor = candidates[..<min(size, candidates.count)].last
    return slice
  }

  private func answered(
    _ candidates: [ObjectID], _ connection: MongoConnection, _ allowance: TimeAllowance
  ) throws -> AudienceSlice {
    let found: [[ObjectID]] =
      if let answers {
        answers.map { answer in candidates.filter { answer.holdsSorted($0) } }
      } else if candidates.isEmpty {
        rule.behaviours.map { _ in [] }
      } else {
        try rule.behaviours.map {
          try leads($0, $0.leadsPipeline(among: candidates), connection, allowance)
        }
      }
    if let required = rule.requiredBehaviours {
      let sets = found.map(Set.init)
      let ids = candidates.filter { id in
        required.allSatisfy { index, isNegated in
          (sets[index].contains(id) != rule.behaviours[index].holdsWithoutDocuments) != isNegated
        }
      }
      return AudienceSlice(
        filter: ["_id": ["$in": .array(ids.map { .objectID($0) })]], ids: ids, candidates: candidates)
    }
    let filter = try filter(found)
    let among: BSONDocument = ["_id": ["$in": .array(candidates.map { .objectID($0) })]]
    return AudienceSlice(filter: ["$and": [.document(among), .document(filter)]], ids: nil, candidates: candidates)
  }

  /// The rule's filter with what its behaviour conditions find, in their order.
  private func filter(_ found: [[ObjectID]]) throws -> BSONDocument {
    var next = found.makeIterator()
    return try rule.filter { $0.filter(found: next.next() ?? []) }
  }

  /// The next leads that the rule may find, in `_id` order; one more than a stretch holds when there are so many.
  private func candidates(_ connection: MongoConnection, _ allowance: TimeAllowance) throws -> [ObjectID] {
    var options = FindOptions(projection: ["_id": 1], sort: ["_id": 1], batchSize: size + 1)
    options.maxTimeMS = try allowance.remaining()
    let filter = bounded(rule.necessaryFilter.map { [$0] } ?? [])
    return try connection.findAll(Collections.leads, filter, options, limit: size + 1)
      .compactMap { $0["_id"]?.objectIDValue }
  }

  private func bounded(_ filters: [BSONDocument]) -> BSONDocument {
    var filters = filters
    if cursor != nil || upperBound != nil {
      var range = BSONDocument()
      if let cursor { range.append("$gt", cursor) }
      if let upperBound { range.append("$lte", upperBound) }
      filters.insert(["_id": .document(range)], at: 0)
    }
    if !narrowing.isEmpty { filters.append(narrowing) }
    if filters.count == 1 { return filters[0] }
    return filters.isEmpty ? [:] : ["$and": .array(filters.map { .document($0) })]
  }

  /// Whether the behaviour conditions are better answered for all leads at once: they look at few documents only, which
  /// is counted up to the limit, or at every order there is. Reading all orders in one go costs a fifth of fetching them lead
  /// by lead.
  private func areForAllLeads(_ connection: MongoConnection, _ allowance: TimeAllowance) throws -> Bool {
    let queries = rule.behaviours.filter { !$0.readsEveryDocument }
    let windows = queries.compactMap { query in query.indexedWindow.map { (query.collection, $0) } }
    guard windows.count == queries.count else { return false }
    guard let (collection, _) = windows.first else { return true }
    let all = try connection.estimatedCount(collection, maxTimeMS: try allowance.remaining())
    var left = max(sizes.fewDocuments, min(sizes.mostDocuments, all / Self.smallPart))
    for (collection, window) in windows where left >= 0 {
      left -= try connection.count(collection, window, limit: left + 1, maxTimeMS: try allowance.remaining())
    }
    return left >= 0
  }

  private func leads(
    _ query: BehaviourQuery, _ pipeline: [BSONDocument], _ connection: MongoConnection, _ allowance: TimeAllowance
  ) throws -> [ObjectID] {
    var leads: [ObjectID] = []
    let options = AggregateOptions(
      batchSize: sizes.stretch, allowDiskUse: true, maxTimeMS: try allowance.remaining())
    try connection.aggregate(query.collection, pipeline, options: options) { document in
      if let id = document["_id"]?.objectIDValue { leads.append(id) }
      return .more
    }
    return leads
  }
}

extension [ObjectID] {
  /// Whether a sorted array holds an id.
  fileprivate func holdsSorted(_ id: ObjectID) -> Bool {
    var (low, high) = (startIndex, endIndex)
    while low < high {
      let middle = low + (high - low) / 2
      if self[middle] < id { low = middle + 1 } else { high = middle }
    }
    return low < endIndex && self[low] == id
  }
}
