import BSON
import CRMCore
import CivilTime
import JSON
import Mongo

/// Something that happened with a lead.
public struct TimelineEntry: Sendable {
  public enum Subject: Sendable {
    case order(Order)
    /// A send's row in the communication log.
    case message(LogEntry)
  }

  /// When the order was made, or when the message was queued, skipped or cancelled: it does not change afterwards.
  public let at: Timestamp
  public let subject: Subject
  let id: BSONValue

  /// Newest first; at one time orders come before messages, and higher ids before lower ones.
  public static let order = ListOrder(field: "at", ascending: false)
}

extension TimelineEntry: JSONRepresentable {
  public var jsonValue: JSONValue {
    switch subject {
    case .order(let order): ["type": "order", "at": .string(at.description), "order": order.jsonValue]
    case .message(let entry): ["type": "message", "at": .string(at.description), "message": entry.jsonValue]
    }
  }
}

extension Store {
  /// Orders of a lead and messages to it, merged, newest first.
  ///
  /// Costs one read of every row of the communication log that is about the lead, of which there are at most as many as
  /// there were runs; no index for this slows the rows' writers down.
  /// - Parameters:
  ///   - cursor: an entry's time and id; the page begins after it.
  /// - Throws: `StoreError.notFound`.
  public func timeline(
    ofLead id: ObjectID, after cursor: ListCursor?, limit: Int
  ) async throws -> ListPage<TimelineEntry> {
    try await mongo.withConnection { connection in
      let lead: BSONDocument = ["lead_id": .objectID(id)]
      guard
        try connection.findOne(Collections.leads, ["_id": .objectID(id)], FindOptions(projection: ["_id": 1])) != nil
      else { throw StoreError.notFound(what: "lead", id: id.hex) }
      let total =
        try connection.count(Collections.orders, lead) + connection.count(Collections.communicationLogs, lead)
      var entries = try Store.orders(of: id, after: cursor, limit: limit + 1, connection)
      entries += try Store.messages(to: id, after: cursor, limit: limit + 1, connection)
      entries.sort(by: Store.isBefore)
      let page = Array(entries.prefix(limit))
      var next: ListCursor?
      if entries.count > limit, let last = page.last {
        next = ListCursor(value: .date(milliseconds: last.at.milliseconds), id: last.id)
      }
      return ListPage(elements: page, total: total, next: next)
    }
  }

  /// Both lists come sorted; only where they meet does the order between them have to be decided.
  private static func isBefore(_ one: TimelineEntry, _ other: TimelineEntry) -> Bool {
    if one.at != other.at { return one.at > other.at }
    switch (one.id, other.id) {
    case (.objectID(let one), .objectID(let other)): return one > other
    case (.objectID, _): return true
    case (_, .objectID): return false
    default: return (other.id.uuidBytes ?? []).lexicographicallyPrecedes(one.id.uuidBytes ?? [])
    }
  }

  /// What comes after a place, in one of the two lists.
  ///
  /// - Parameter isFirst: entries of this list come before those of the other at one time.
  private static func place(_ cursor: ListCursor, _ time: String, isOwn: Bool, isFirst: Bool) -> BSONDocument {
    if isOwn {
      return ["$or": [[time: ["$lt": cursor.value]], [time: ["$eq": cursor.value], "_id": ["$lt": cursor.id]]]]
    }
    // The place is in the other list: of the same time, all have been shown, or none.
    return [time: [isFirst ? "$lt" : "$lte": cursor.value]]
  }

  private static func orders(
    of lead: ObjectID, after cursor: ListCursor?, limit: Int, _ connection: MongoConnection
  ) throws -> [TimelineEntry] {
    var filter: BSONDocument = ["lead_id": .objectID(lead)]
    if let cursor {
      let isOwn = cursor.id.objectIDValue != nil
      filter.append(contentsOf: place(cursor, "ordered_at", isOwn: isOwn, isFirst: true))
    }
    let options = FindOptions(sort: ["ordered_at": -1, "_id": -1])
    return try connection.findAll(Collections.orders, filter, options, limit: limit).map { document in
      let order = try Order(bson: document)
      return TimelineEntry(at: order.orderedAt, subject: .order(order), id: .objectID(order.id))
    }
  }

  private static func messages(
    to lead: ObjectID, after cursor: ListCursor?, limit: Int, _ connection: MongoConnection
  ) throws -> [TimelineEntry] {
    let times = SendHistory.beginnings + ["updated_at"]
    let began: BSONValue = ["$ifNull": .array(times.map { .string("$" + $0) })]
    var pipeline: [BSONDocument] = [
      ["$match": ["lead_id": .objectID(lead)]], ["$set": ["at": began]],
    ]
    if let cursor {
      let isOwn = cursor.id.uuidBytes != nil
      pipeline.append(["$match": .document(place(cursor, "at", isOwn: isOwn, isFirst: false))])
    }
    pipeline += [["$sort": ["at": -1, "_id": -1]], ["$limit": .int64(Int64(limit))]]
    return try connection.aggregateAll(Collections.communicationLogs, pipeline, limit: limit).map { row in
      var row = row
      let at = Timestamp(milliseconds: row["at"]?.dateMilliseconds ?? 0)
      row["at"] = nil
      return TimelineEntry(at: at, subject: .message(LogEntry(row)), id: row["_id"] ?? .null)
    }
  }
}
