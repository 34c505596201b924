import BSON
import CRMCore
import Mongo

/// Walks the leads that a rule finds, in `_id` order. Memory holds one stretch of ids, whatever the audience.
///
/// A lead is decided when the walk comes to it: what changes behind the walk does not matter to it any more.
public struct AudienceWalk: Sendable {
  private let store: Store
  private let upperBound: ObjectID
  private let timeoutMS: Int
  private var slices: AudienceSlices
  private var slice: AudienceSlice?
  private var cursor: ObjectID?
  /// Ids that have been found and not yet handed out.
  private var waiting: ArraySlice<ObjectID> = []

  init(_ rule: CompiledRule, after cursor: ObjectID?, upTo bound: ObjectID, store: Store, timeoutMS: Int) {
    self.store = store
    upperBound = bound
    self.timeoutMS = timeoutMS
    self.cursor = cursor
    slices = AudienceSlices(rule, after: cursor, upTo: bound, sizes: store.audienceSizes)
  }

  /// The next leads, `limit` of them unless there are no more; empty at the end.
  ///
  /// - Throws: `RuleError` when the rule is too large for the server; `MongoError`. The walk can be tried again from the
  ///   last lead handed out.
  public mutating func next(limit: Int) async throws -> [ObjectID] {
    var page: [ObjectID] = []
    while page.count < limit {
      if waiting.isEmpty {
        guard try await refill(limit: limit) else { break }
      }
      let taken = waiting.prefix(limit - page.count)
      page += taken
      waiting = waiting.dropFirst(taken.count)
    }
    return page
  }

  /// - Returns: false when there is nothing more. True does not promise that something came.
  private mutating func refill(limit: Int) async throws -> Bool {
    if let slice {
      // The ids in a filter about orders or messages are dear to send: few pages.
      let size = slices.rule.behaviours.isEmpty ? limit : max(limit, slices.sizes.stretch)
      let found = try await store.audiencePage(matching: slice.filter, after: cursor, upTo: upperBound, limit: size)
      cursor = found.last ?? cursor
      waiting = found[...]
      if found.count < size { self.slice = nil }
      return true
    }
    let (start, time) = (slices, timeoutMS)
    let (next, moved) = try await store.mongo.withConnection { connection in
      var slices = start
      return (try slices.next(connection, TimeAllowance(milliseconds: time)), slices)
    }
    guard let next else { return false }
    slices = moved
    if let ids = next.ids { waiting = ids[...] } else { slice = next }
    return true
  }
}

extension Store {
  /// The leads that a rule finds, behind `cursor` and up to `upperBound`.
  ///
  /// - Parameter timeoutMS: for each stretch of leads.
  public func walk(
    _ rule: CompiledRule, after cursor: ObjectID?, upTo upperBound: ObjectID, timeoutMS: Int
  ) -> AudienceWalk {
    AudienceWalk(rule, after: cursor, upTo: upperBound, store: self, timeoutMS: timeoutMS)
  }
}
