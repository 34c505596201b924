import BSON
import CRMCore
import Mongo

extension Store {
  /// How far down a segment that is read stretch by stretch a page may lie; a cursor goes further.
  private static let deepestStretchedLead = 10_000

  /// A page of the leads of a segment that no single filter can hold: of each stretch, the leads that may be on the page.
  func pageOfStretches(
    _ rule: CompiledRule, _ list: ListQuery, _ allowance: TimeAllowance
  ) async throws -> ListPage<Lead> {
    var place: BSONDocument?
    var skip = 0
    switch list.start {
    case .page(let number): skip = (number - 1) * list.limit
    case .after(let cursor): place = list.order.filter(after: cursor)
    }
    guard skip + list.limit <= Self.deepestStretchedLead else {
      throw StoreError.invalid([
        FieldError(
          field: "page", code: "too_deep",
          message: "this segment can be paged up to its lead \(Self.deepestStretchedLead); use cursor to go further")
      ])
    }
    // One more than asked for tells whether there is a next page.
    let (kept, order) = (skip + list.limit + 1, list.order)
    let farther = place
    var slices = AudienceSlices(rule, narrowing: list.filter, sizes: audienceSizes)
    var total = 0
    var page: [BSONDocument] = []
    while true {
      let found = try await ask(&slices, allowance) { slice, connection in
        let options = FindOptions(sort: order.sort, maxTimeMS: try allowance.remaining())
        let filter = farther.map { ["$and": [.document(slice.filter), .document($0)]] as BSONDocument } ?? slice.filter
        return (
          try Store.count(slice, connection, allowance),
          try connection.findAll(Collections.leads, filter, options, limit: kept)
        )
      }
      guard let found else { break }
      total += found.0
      page = Array((page + found.1).sorted(by: order.precedes).prefix(kept))
    }
    let documents = page.dropFirst(skip).prefix(list.limit)
    let next = page.count < kept ? nil : documents.last.map { order.cursor(at: $0) }
    return ListPage(elements: try documents.map { try Lead(bson: $0) }, total: total, next: next)
  }
}

extension ListOrder {
  func cursor(at document: BSONDocument) -> ListCursor {
    ListCursor(value: document[path: field] ?? .null, id: document["_id"] ?? .null)
  }

  /// Whether a document comes before another, as the server sorts values of one type; a missing one is the lowest.
  fileprivate func precedes(_ a: BSONDocument, _ b: BSONDocument) -> Bool {
    let (low, high) = ascending ? (a, b) : (b, a)
    let (x, y) = (low[path: field] ?? .null, high[path: field] ?? .null)
    if Self.isLess(x, y) { return true }
    if Self.isLess(y, x) { return false }
    return Self.isLess(low["_id"] ?? .null, high["_id"] ?? .null)
  }

  private static func isLess(_ a: BSONValue, _ b: BSONValue) -> Bool {
    if a.isNull || b.isNull { return a.isNull && !b.isNull }
    if let a = a.stringValue, let b = b.stringValue { return a.utf8.lexicographicallyPrecedes(b.utf8) }
    if let a = a.dateMilliseconds, let b = b.dateMilliseconds { return a < b }
    if let a = a.objectIDValue, let b = b.objectIDValue { return a < b }
    if let a = a.doubleValue, let b = b.doubleValue { return a < b }
    return false
  }
}
