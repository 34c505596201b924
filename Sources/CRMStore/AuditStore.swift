import BSON
import CRMCore
import CivilTime
import Mongo

/// What became of a write. `started` stays when its process ended, or lost the database, before it could tell.
public enum AuditOutcome: String, CaseIterable, Sendable {
  case started
  case succeeded
  /// Answered with 4xx: nothing was changed.
  case refused
  /// Answered with 5xx: something may have been changed.
  case failed
}

/// Which entries of the audit log to list; nil: any.
public struct AuditQuery: Sendable {
  public var actor: String?
  public var action: String?
  public var resource: String?
  public var resourceID: String?
  public var outcome: AuditOutcome?
  public var from: Timestamp?
  /// Exclusive.
  public var to: Timestamp?
  public var start: PageStart
  public var limit: Int

  /// Newest first.
  public static let order = ListOrder(field: "at", ascending: false)

  public init(start: PageStart, limit: Int) {
    self.start = start
    self.limit = limit
  }

  var filter: BSONDocument {
    var filter = BSONDocument()
    if let actor { filter.append("actor", actor) }
    if let action { filter.append("action", action) }
    if let resource { filter.append("resource", resource) }
    if let resourceID { filter.append("resource_id", resourceID) }
    if let outcome { filter.append("outcome", outcome.rawValue) }
    var time = BSONDocument()
    if let from { time.appendDate("$gte", milliseconds: from.milliseconds) }
    if let to { time.appendDate("$lt", milliseconds: to.milliseconds) }
    if !time.isEmpty { filter.append("at", document: time) }
    return filter
  }
}

extension Store {
  /// Enters a write into the audit log before it is made, and returns the document that it is about as it is now.
  ///
  /// - Parameters:
  ///   - entry: without `_id`; what is known beforehand.
  ///   - subject: the document that will change.
  /// - Throws: when the entry could not be stored: the write must then not be made.
  public func beginAudit(_ id: ObjectID, _ entry: BSONDocument, subject: AuditSubject?) async throws -> BSONDocument? {
    var document: BSONDocument = ["_id": .objectID(id)]
    document.append(contentsOf: entry)
    let fresh = document
    return try await mongo.withConnection { connection in
      try connection.insertOne(Collections.auditLog, fresh)
      return try subject.flatMap { try connection.findOne($0.collection, ["_id": $0.id]) }
    }
  }

  /// Completes an entry with what became of the write.
  ///
  /// - Parameter details: makes what is to be added from the document as it is after the write.
  public func completeAudit(
    _ id: ObjectID, subject: AuditSubject?, _ details: @escaping @Sendable (BSONDocument?) -> BSONDocument
  ) async throws {
    try await mongo.withConnection { connection in
      let after = try subject.flatMap { try connection.findOne($0.collection, ["_id": $0.id]) }
      _ = try connection.updateOne(
        Collections.auditLog, ["_id": .objectID(id)], ["$set": .document(details(after))])
    }
  }

  /// A page of the audit log, newest first.
  public func auditEntries(_ query: AuditQuery) async throws -> ListPage<BSONDocument> {
    try await page(
      ListQuery(
        collection: Collections.auditLog, filter: query.filter, order: AuditQuery.order, start: query.start,
        limit: query.limit)
    ) { $0 }
  }
}

/// The document that a write is about.
public struct AuditSubject: Sendable {
  public var collection: String
  public var id: BSONValue

  public init(collection: String, id: BSONValue) {
    self.collection = collection
    self.id = id
  }
}
