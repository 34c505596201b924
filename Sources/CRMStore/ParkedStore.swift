import BSON
import CRMCore
import CivilTime
import Crypto
import Mongo
import Runtime

extension Store {
  /// Keeps evidence that matches no row, once per send and status, for as long as the collection's expiry. It is merged by
  /// `mergeParked` when its row has appeared.
  static func park(
    _ events: [UUIDBytes: [SendEvent]], at now: Timestamp, _ connection: MongoConnection
  ) throws -> Int {
    var writes: [WriteModel] = []
    for (id, list) in events {
      for event in list {
        writes.append(
          .updateOne(
            filter: ["_id": .string("\(id.string)/\(event.status.rawValue)")],
            update: ["$setOnInsert": .document(parked(id, event, at: now)), "$currentDate": ["next_at": true]],
            upsert: true))
      }
    }
    let result = try connection.bulkWrite(Collections.parkedReceipts, writes, ordered: false)
    try result.throwIfFailed()
    return writes.count
  }

  private static func parked(_ id: UUIDBytes, _ event: SendEvent, at now: Timestamp) -> BSONDocument {
    var document = BSONDocument()
    document.appendUUID("send_id", id.bytes)
    document.append("status", event.status.rawValue)
    document.appendDate("at", milliseconds: event.at.milliseconds)
    document.append("source", event.source == .receipt ? "receipt" : "outcome")
    if let vendor = event.vendor { document.append("vendor", vendor) }
    if let message = event.vendorMessageID { document.append("vendor_message_id", message) }
    if let attempt = event.attempt { document.append("attempt", attempt) }
    if let error = event.error {
      document.appendDocument("error") { nested in
        nested.append("class", error.errorClass)
        nested.append("message", error.message)
      }
    }
    document.appendDate("parked_at", milliseconds: now.milliseconds)
    return document
  }

  /// The evidence that a parked document holds.
  private static func event(_ document: BSONDocument) throws -> (send: UUIDBytes, event: SendEvent) {
    guard let send = document["send_id"]?.uuidBytes.flatMap({ UUIDBytes(bytes: $0) }),
      let status = document["status"]?.stringValue.flatMap(SendStatus.init(rawValue:)),
      let at = document["at"]?.dateMilliseconds
    else { throw DocumentError(collection: Collections.parkedReceipts, document: document) }
    var error: SendError?
    if let told = document["error"], let errorClass = told["class"]?.stringValue {
      error = SendError(errorClass: errorClass, message: told["message"]?.stringValue ?? "")
    }
    return (
      send,
      SendEvent(
        status: status, at: Timestamp(milliseconds: at),
        source: document["source"]?.stringValue == "outcome" ? .outcome(worker: "") : .receipt,
        vendor: document["vendor"]?.stringValue, vendorMessageID: document["vendor_message_id"]?.stringValue,
        error: error, attempt: document["attempt"]?.int64Value.map { Int32(clamping: $0) })
    )
  }

  /// Merges parked evidence whose row exists by now, and forgets it, in one transaction; the rest is put off, for five
  /// seconds at first and up to ten minutes.
  ///
  /// - Returns: what was merged, and how many parked documents were looked at.
  public func mergeParked(limit: Int) async throws -> (report: MergeReport, looked: Int) {
    let now = clock.now()
    let slot = slots.take()
    defer { slots.give(slot) }
    return try await mongo.withTransaction { connection in
      let due = try connection.findAll(
        Collections.parkedReceipts, ["next_at": ["$exists": true], "$expr": ["$lte": ["$next_at", "$$NOW"]]],
        FindOptions(sort: ["next_at": 1], limit: limit), limit: limit)
      guard !due.isEmpty else { return (MergeReport(), 0) }
      var events: [UUIDBytes: [SendEvent]] = [:]
      var ids: [UUIDBytes: [BSONValue]] = [:]
      for document in due {
        let (send, event) = try Store.event(document)
        events[send, default: []].append(event)
        ids[send, default: []].append(document["_id"] ?? .null)
      }
      let (report, found) = try Store.apply(events, at: now, slot: slot, connection)
      let merged = ids.filter { found.contains($0.key) }.flatMap(\.value)
      let waiting = ids.filter { !found.contains($0.key) }.flatMap(\.value)
      if !merged.isEmpty { try connection.deleteMany(Collections.parkedReceipts, ["_id": ["$in": .array(merged)]]) }
      if !waiting.isEmpty { try Store.putOffParked(waiting, connection) }
      return (report, due.count)
    }
  }

  private static func putOffParked(_ ids: [BSONValue], _ connection: MongoConnection) throws {
    let wait: BSONValue = [
      "$toLong": [
        "$min": [600_000, ["$multiply": [5000, ["$pow": [2, ["$min": [["$ifNull": ["$tries", 0]], 10]]]]]]]
      ]
    ]
    _ = try connection.updateMany(
      Collections.parkedReceipts, ["_id": ["$in": .array(ids)]],
      pipeline: [
        ["$set": ["next_at": ["$add": ["$$NOW", wait]], "tries": ["$add": [["$ifNull": ["$tries", 0]], 1]]]]
      ])
  }
}
