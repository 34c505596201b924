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

  /// An aggregation whose documents' `_id` are the leads that fulfil the condition, or, if `holdsWithoutDocuments`, those
  /// that do not.
  public var leadsPipeline: [BSONDocument] {
    switch question {
    case .orders(let query): query.pipeline
    case .campaign(let query): [["$match": .document(query.filter)], ["$group": ["_id": "$lead_id"]]]
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
