import BSON
import CRMCore
import Mongo

/// Another lead has one of these.
struct EmailTaken: Error {
  let emails: [String]
}

extension Store {
  /// Changes a lead by hand.
  ///
  /// What differs is written in the transaction that read the lead, so that two who change it at once do not undo each
  /// other's work, and the totals over orders are not touched.
  /// - Throws: `StoreError.notFound`; `StoreError.conflict` when another lead has one of the e-mails; `ValidationError` as
  ///   `LeadEdit.applied`.
  public func editLead(_ id: ObjectID, _ edit: LeadEdit) async throws -> Lead {
    let now = clock.now()
    do {
      return try await mongo.withTransaction { connection in
        guard let document = try connection.findOne(Collections.leads, ["_id": .objectID(id)]) else {
          throw StoreError.notFound(what: "lead", id: id.hex)
        }
        let existing = try Lead(bson: document)
        let (lead, changed) = try edit.applied(to: existing, at: now)
        guard changed else { return existing }
        do {
          try connection.updateOne(
            Collections.leads, ["_id": .objectID(id)], Store.difference(existing.bson(), lead.bson()))
        } catch let error as MongoError where error.isDuplicateKey {
          throw EmailTaken(emails: lead.emails)
        }
        return lead
      }
    } catch let taken as EmailTaken {
      throw try await emailConflict(taken.emails, not: id)
    }
  }

  private static func difference(_ old: BSONDocument, _ new: BSONDocument) -> BSONDocument {
    var (set, unset) = (BSONDocument(), BSONDocument())
    for (key, value) in new where old[key] != value { set.append(key, value) }
    for key in old.keys where !new.contains(key: key) { unset.append(key, "") }
    var update: BSONDocument = ["$set": .document(set)]
    if !unset.isEmpty { update.append("$unset", document: unset) }
    return update
  }

  /// Names the lead that has one of these e-mails.
  func emailConflict(_ emails: [String], not id: ObjectID) async throws -> StoreError {
    let other = try await mongo.withConnection { connection in
      try connection.findOne(
        Collections.leads,
        ["emails": ["$in": .array(emails.map { .string($0) })], "_id": ["$ne": .objectID(id)]],
        FindOptions(projection: ["_id": 1]))
    }
    let name = other?["_id"]?.objectIDValue.map { " (\($0.hex))" } ?? ""
    return .conflict(message: "another lead\(name) has one of these e-mails", currentStatus: nil, runID: nil)
  }

  /// Deletes a lead with its orders: they would count for nobody, and their numbers would be taken for ever. What was sent
  /// to it stays in the log; sends that nobody has made yet are skipped before their call.
  ///
  /// - Throws: `StoreError.notFound`.
  public func deleteLead(_ id: ObjectID) async throws {
    try await mongo.withTransaction { connection in
      guard try connection.deleteOne(Collections.leads, ["_id": .objectID(id)]) == 1 else {
        throw StoreError.notFound(what: "lead", id: id.hex)
      }
      try connection.deleteMany(Collections.orders, ["lead_id": .objectID(id)])
    }
  }
}
