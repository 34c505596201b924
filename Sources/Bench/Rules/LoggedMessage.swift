import BSON
import CRMCore
import CivilTime
import Crypto

/// A row of the communication log as a finished message leaves it.
enum LoggedMessage {
  static func document(
    lead: ObjectID, campaign: ObjectID, run: UUIDBytes, status: SendStatus, at time: Timestamp
  ) -> BSONDocument {
    var row = BSONDocument(capacity: 512)
    row.appendUUID("_id", SendID.make(run: run, lead: lead, channel: .whatsapp).bytes)
    row.append("campaign_id", campaign)
    row.appendUUID("run_id", run.bytes)
    row.append("lead_id", lead)
    row.append("channel", Channel.whatsapp.rawValue)
    row.append("to", "+4915112345678")
    row.append("message", "Hi Ana, it has been a while. Here are ten percent off your next order in Lisbon.")
    row.append("status", status.rawValue)
    row.append("rank", status.rank)
    row.append("attempt", Int32(1))
    for moment in [SendStatus.queued, .sending, .sent, status] {
      if let field = SendHistory.field(moment), row[field] == nil {
        row.appendDate(field, milliseconds: time.milliseconds)
      }
    }
    row.appendDate("updated_at", milliseconds: time.milliseconds)
    return row
  }
}
