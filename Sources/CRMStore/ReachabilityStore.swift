import BSON
import CRMCore
import Mongo

extension Store {
  /// Which of these leads may not be messaged on a channel any more, and why: those who have opted out since their
  /// audience was expanded, and those who were deleted. One read, for many leads, right before the vendor is called.
  public func unreachable(_ leads: Set<ObjectID>, on channel: Channel) async throws -> [ObjectID: SendError] {
    guard !leads.isEmpty else { return [:] }
    return try await mongo.withConnection { connection in
      let gone = SendError(errorClass: "lead_deleted", message: "the lead was deleted before the message was sent")
      let optedOut = SendError(errorClass: "opted_out", message: "opted out of \(channel.rawValue)")
      let optOut = "opted_out.\(channel.rawValue)"
      var reasons = Dictionary(uniqueKeysWithValues: leads.map { ($0, gone) })
      try connection.find(
        Collections.leads, ["_id": ["$in": .array(leads.map { .objectID($0) })]],
        FindOptions(projection: [optOut: 1])
      ) { lead in
        guard let id = lead["_id"]?.objectIDValue else { return .more }
        reasons[id] = lead[path: optOut].map { $0.isNull ? nil : optedOut } ?? nil
        return .more
      }
      return reasons
    }
  }
}
