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
  /// A segment's rule.
  public var segment: CompiledRule?
  public var order: ListOrder
  public var start: PageStart
  public var limit: Int
  /// For a count and a page each; for everything together where a segment has to be read stretch by stretch.
  public var timeoutMS = 10_000

  public init(order: ListOrder, start: PageStart, limit: Int) {
    self.order = order
    self.start = start
    self.limit = limit
  }

  /// Everything but the segment.
  var filter: BSONDocument {
    var conditions: [BSONValue] = []
    if let search {
      let pattern = Store.containing(search)
      conditions.append(["$or": [["name": pattern], ["emails": pattern], ["phones": pattern]]])
    }
    if let minSpend { conditions.append(["total_spend": ["$gte": .double(minSpend)]]) }
    if let maxSpend { conditions.append(["total_spend": ["$lte": .double(maxSpend)]]) }
    if let tag { conditions.append(["tags": ["$eq": .string(tag)]]) }
    switch conditions.count {
    case 0: return [:]
    case 1: return conditions[0].documentValue ?? [:]
    default: return ["$and": .array(conditions)]
    }
  }
}

extension Store {
  /// A page of leads.
  ///
  /// - Throws: `RuleError` and `MongoError` as `preview`; `StoreError.invalid` for a page too far down a segment that has
  ///   to be read stretch by stretch.
  public func leads(_ query: LeadQuery) async throws -> ListPage<Lead> {
    var list = ListQuery(
      collection: Collections.leads, filter: query.filter, order: query.order, start: query.start, limit: query.limit,
      timeoutMS: query.timeoutMS)
    guard let rule = query.segment else { return try await page(list) { try Lead(bson: $0) } }
    let allowance = TimeAllowance(milliseconds: list.timeoutMS)
    var slices = AudienceSlices(rule, narrowing: query.filter, sizes: audienceSizes)
    let first = try await ask(&slices, allowance) { slice, _ in slice }
    guard slices.isAtEnd else { return try await pageOfStretches(rule, list, allowance) }
    list.filter = first?.filter ?? ["_id": ["$in": []]]
    return try await page(list) { try Lead(bson: $0) }
  }
}
