import BSON
import CRMCore
import Mongo

/// Which leads to list.
public struct LeadQuery: Sendable {
  /// Found in the name, an e-mail or a phone, in either case.
  public var search: String?
  public var minSpend: Double?
  public var maxSpend: Double?
  public var tag: String?
  /// A segment's rule, translated.
  public var segmentFilter: BSONDocument?
  public var order: ListOrder
  public var start: PageStart
  public var limit: Int

  public init(order: ListOrder, start: PageStart, limit: Int) {
    self.order = order
    self.start = start
    self.limit = limit
  }

  var filter: BSONDocument {
    var conditions: [BSONValue] = []
    if let search {
      let pattern = Store.containing(search)
      conditions.append(["$or": [["name": pattern], ["emails": pattern], ["phones": pattern]]])
    }
    if let minSpend { conditions.append(["total_spend": ["$gte": .double(minSpend)]]) }
    if let maxSpend { conditions.append(["total_spend": ["$lte": .double(maxSpend)]]) }
    if let tag { conditions.append(["tags": ["$eq": .string(tag)]]) }
    if let segmentFilter { conditions.append(.document(segmentFilter)) }
    switch conditions.count {
    case 0: return [:]
    case 1: return conditions[0].documentValue ?? [:]
    default: return ["$and": .array(conditions)]
    }
  }
}

extension Store {
  public func leads(_ query: LeadQuery) async throws -> ListPage<Lead> {
    try await page(
      ListQuery(
        collection: Collections.leads, filter: query.filter, order: query.order, start: query.start, limit: query.limit)
    ) { try Lead(bson: $0) }
  }
}
