import BSON
import CRMCore
import Mongo

extension Store {
  /// A lead by its id.
  ///
  /// - Throws: `StoreError.notFound`.
  public func lead(_ id: ObjectID) async throws -> Lead {
    try await mongo.withConnection { connection in
      guard let document = try connection.findOne(Collections.leads, ["_id": .objectID(id)]) else {
        throw StoreError.notFound(what: "lead", id: id.hex)
      }
      return try Lead(bson: document)
    }
  }

  /// Stores a new lead.
  ///
  /// - Parameter id: of the lead to make. When a lead of this id exists, an earlier attempt made it, and it is returned.
  /// - Throws: `StoreError.conflict` when another lead has one of the e-mails.
  public func createLead(_ input: LeadInput, id: ObjectID = ObjectID()) async throws -> Lead {
    let lead = input.newLead(id: id, at: clock.now())
    do {
      return try await insertLead(lead)
    } catch let taken as EmailTaken {
      throw try await emailConflict(taken.emails, not: id)
    }
  }

  private func insertLead(_ lead: Lead) async throws -> Lead {
    try await mongo.withConnection { connection in
      do {
        try connection.insertOne(Collections.leads, lead.bson())
        return lead
      } catch let error as MongoError where error.kind == .duplicateKey {
        if let earlier = try connection.findOne(Collections.leads, ["_id": .objectID(lead.id)]) {
          return try Lead(bson: earlier)
        }
        throw EmailTaken(emails: lead.emails)
      }
    }
  }
}
