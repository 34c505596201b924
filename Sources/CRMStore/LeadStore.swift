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
    return try await mongo.withConnection { connection in
      do {
        try connection.insertOne(Collections.leads, lead.bson())
        return lead
      } catch let error as MongoError where error.kind == .duplicateKey {
        if let earlier = try connection.findOne(Collections.leads, ["_id": .objectID(id)]) {
          return try Lead(bson: earlier)
        }
        var options = FindOptions()
        options.projection = ["_id": 1]
        let emails = input.emails.map { BSONValue.string($0) }
        let other = try connection.findOne(Collections.leads, ["emails": ["$in": .array(emails)]], options)
        let name = other?["_id"]?.objectIDValue.map { " (\($0.hex))" } ?? ""
        throw StoreError.conflict(
          message: "another lead\(name) has one of these e-mails", currentStatus: nil, runID: nil)
      }
    }
  }
}
