import BSON
import CRMCore
import Crypto
import JSON
import Mongo

/// Which rows of a run's communication log to list.
public struct LogQuery: Sendable {
  public var status: SendStatus?
  /// Found in the address, the message, or equal to a send's or a lead's id.
  public var search: String?
  public var start: PageStart
  public var limit: Int

  /// The one order of logs: by send id, which their index has.
  public static let order = ListOrder(field: "_id", ascending: true)

  public init(start: PageStart, limit: Int) {
    self.start = start
    self.limit = limit
  }

  func filter(run: UUIDBytes) -> BSONDocument {
    var filter: BSONDocument = ["run_id": .uuid(run.bytes)]
    if let status { filter.append("status", status.rawValue) }
    if let search {
      let pattern = Store.containing(search)
      var places: [BSONValue] = [["to": pattern], ["message": pattern]]
      if let send = UUIDBytes(search) { places.append(["_id": .uuid(send.bytes)]) }
      if let lead = ObjectID(hex: search) { places.append(["lead_id": .objectID(lead)]) }
      filter.append("$or", .array(places))
    }
    return filter
  }
}

/// A row of the communication log as the API shows it: its fields under their names, the id also as `send_id`.
public struct LogEntry: Sendable, JSONRepresentable {
  private let document: BSONDocument

  public init(_ document: BSONDocument) { self.document = document }

  /// Fields that only the product's own parts have a use for.
  private static let inner: Set<String> = [
    "rank", "lease", "retry_at", "route", "cycle_base", "unknown_since", "ask_at", "asked",
  ]

  public var jsonValue: JSONValue {
    var entries: [(key: String, value: JSONValue)] = []
    for (key, value) in document where !LogEntry.inner.contains(key) {
      entries.append((key, JSONValue(bson: value)))
      if key == "_id" { entries.append(("send_id", JSONValue(bson: value))) }
    }
    return .object(JSONObject(entries))
  }
}

extension Store {
  /// A page of the log of a campaign's current run, or of another.
  ///
  /// Sends whose rows are not written yet (PENDING) are not in it.
  /// - Throws: `StoreError.notFound` for an unknown campaign, or for a run that is not this campaign's.
  public func logs(
    ofCampaign id: ObjectID, run wanted: UUIDBytes?, _ query: LogQuery
  ) async throws -> ListPage<LogEntry> {
    guard let run = try await runStats(ofCampaign: id, run: wanted).run else {
      return ListPage(elements: [], total: 0, next: nil)
    }
    return try await page(
      ListQuery(
        collection: Collections.communicationLogs, filter: query.filter(run: run.id), order: LogQuery.order,
        start: query.start, limit: query.limit)
    ) { LogEntry($0) }
  }
}
