import BSON
import CRMCore
import Mongo

/// Reads many leads in `_id` order, a page at a time: memory holds one page, and the server nothing in between.
///
/// A lead is read as it is when the walk comes to it. Those that are stored after the walk has begun, behind the newest of
/// then, are not in it.
public struct LeadPages: Sendable {
  /// Leads of one page at most.
  private static let leads = 500
  /// Bytes of documents after which a page ends, whatever the number of leads.
  private static let bytes = 1 << 20

  private let store: Store
  private let filter: BSONDocument
  private let upperBound: ObjectID?
  private let timeoutMS: Int
  private var walk: AudienceWalk?
  private var cursor: ObjectID?

  init(_ query: LeadQuery, upTo bound: ObjectID?, store: Store) {
    self.store = store
    filter = query.filter
    upperBound = bound
    timeoutMS = query.timeoutMS
    walk = query.segment.flatMap { rule in
      bound.map { AudienceWalk(rule, after: nil, upTo: $0, store: store, timeoutMS: query.timeoutMS) }
    }
  }

  /// The next leads; empty at the end.
  ///
  /// - Throws: as `AudienceWalk.next`. The same page can be asked for again.
  public mutating func next() async throws -> [Lead] {
    guard let upperBound else { return [] }
    guard walk != nil else {
      let page = try await read(["_id": ["$lte": .objectID(upperBound)]], after: cursor)
      cursor = page.last?.id ?? cursor
      return page
    }
    while true {
      // A lead of the segment may have been narrowed away: a page without leads is not yet the end.
      let ids = try await walk?.next(limit: Self.leads) ?? []
      guard !ids.isEmpty else { return [] }
      var page: [Lead] = []
      var last: ObjectID?
      let among: BSONDocument = ["_id": ["$in": .array(ids.map { .objectID($0) })]]
      repeat {
        let part = try await read(among, after: last)
        guard let end = part.last else { break }
        page += part
        last = end.id
      } while page.count < ids.count
      if !page.isEmpty { return page }
    }
  }

  private func read(_ range: BSONDocument, after cursor: ObjectID?) async throws -> [Lead] {
    var conditions: [BSONValue] = [.document(range)]
    if let cursor { conditions.append(["_id": ["$gt": .objectID(cursor)]]) }
    if !filter.isEmpty { conditions.append(.document(filter)) }
    let wanted: BSONDocument = ["$and": .array(conditions)]
    let options = FindOptions(
      sort: ["_id": 1], limit: Self.leads, batchSize: 100, hint: ["_id": 1], maxTimeMS: timeoutMS)
    return try await store.mongo.withConnection { connection in
      var page: [Lead] = []
      var size = 0
      try connection.find(Collections.leads, wanted, options) { document in
        page.append(try Lead(bson: document))
        size += document.bytes.count
        return size < Self.bytes ? .more : .stop
      }
      return page
    }
  }
}

extension Store {
  /// The leads that a query finds, in `_id` order; its order, start and limit do not matter.
  public func leadPages(_ query: LeadQuery) async throws -> LeadPages {
    let newest = try await mongo.withConnection { connection in
      try connection.findOne(Collections.leads, [:], FindOptions(projection: ["_id": 1], sort: ["_id": -1]))
    }
    return LeadPages(query, upTo: newest?["_id"]?.objectIDValue, store: self)
  }
}
