import BSON

/// A question about a lead's orders or messages, which the lead's own document does not answer.
///
/// The store answers it for all leads at once, with `leadsPipeline`; an evaluation of one lead answers it from that
/// lead's orders and messages.
public struct BehaviourQuery: Sendable {
  public enum Question: Sendable {
    case orders(OrdersQuery)
    case campaign(CampaignQuery)
  }

  /// The condition that asks.
  public let path: String
  public let question: Question
  /// Every lead that `leadsPipeline` finds passes this filter over leads; nil: any lead may be among them.
  public let narrowing: BSONDocument?

  /// The collection to ask.
  public var collection: String {
    switch question {
    case .orders: "orders"
    case .campaign: "communication_logs"
    }
  }

  /// True when the condition holds for leads of whom the collection knows nothing. `leadsPipeline` then finds the
  /// exceptions.
  public var holdsWithoutDocuments: Bool {
    switch question {
    case .orders(let query): query.holdsWithoutOrders
    case .campaign(let query): query.negate
    }
  }

  /// Over `collection`: all documents that can count and, for the most part, no others, by a condition that an index
  /// serves; nil when there is none.
  public var indexedWindow: BSONDocument? {
    guard case .orders(let query) = question, let window = query.window else { return nil }
    return [
      "ordered_at": ["$gte": .date(milliseconds: window.lowerBound), "$lte": .date(milliseconds: window.upperBound)]
    ]
  }

  /// No index says which documents count: every order of the leads in question has to be read.
  public var readsEveryDocument: Bool {
    guard case .orders(let query) = question else { return false }
    return query.window == nil && !query.filter.isEmpty
  }

  /// An aggregation whose documents' `_id` are the leads that fulfil the condition, or, if `holdsWithoutDocuments`, those
  /// that do not.
  public var leadsPipeline: [BSONDocument] { pipeline(among: nil) }

  /// `leadsPipeline` for some leads only.
  public func leadsPipeline(among leads: [ObjectID]) -> [BSONDocument] { pipeline(among: leads) }

  private func pipeline(among leads: [ObjectID]?) -> [BSONDocument] {
    switch question {
    case .orders(let query): query.pipeline(among: leads)
    case .campaign(let query):
      [["$match": .document(Self.match(query.filter, among: leads))], ["$group": ["_id": "$lead_id"]]]
    }
  }

  static func match(_ filter: BSONDocument, among leads: [ObjectID]?) -> BSONDocument {
    guard let leads else { return filter }
    let ids: BSONDocument = ["lead_id": ["$in": .array(leads.map { .objectID($0) })]]
    return filter.isEmpty ? ids : Filters.all([ids, filter])
  }

  /// An aggregation that yields at most one document, which `answer(found:)` understands.
  public func pipeline(ofLead id: ObjectID) -> [BSONDocument] {
    switch question {
    case .orders(let query): return query.pipeline(ofLead: id)
    case .campaign(let query):
      return [
        ["$match": .document(Filters.all([["lead_id": .objectID(id)], query.filter].filter { !$0.isEmpty }))],
        ["$limit": 1], ["$project": ["_id": 1]],
      ]
    }
  }

  /// A filter over leads from what `leadsPipeline` found.
  public func filter(found leads: [ObjectID]) -> BSONDocument {
    let ids: BSONDocument = ["_id": ["$in": .array(leads.map { .objectID($0) })]]
    return holdsWithoutDocuments ? Filters.not(ids) : ids
  }

  /// The answer for one lead.
  ///
  /// - Parameter documents: all of the lead's documents in `collection`.
  public func holds(for documents: [BSONDocument]) -> Bool {
    switch question {
    case .orders(let query): query.holds(for: documents)
    case .campaign(let query): query.holds(for: documents)
    }
  }
}
