import BSON
import Crypto
import JSON

/// A record of `campaign.jobs`.
public enum CampaignJob: Sendable, Hashable {
  /// Freeze the audience of this run.
  case launch(campaignID: ObjectID, runID: UUIDBytes)
  /// Expand these leads into sends. A hand-made chunk may leave the run out: then it is the campaign's current one.
  case chunk(campaignID: ObjectID, runID: UUIDBytes?, leadIDs: [ObjectID])

  public static let mostLeads = 1_000

  public var campaignID: ObjectID {
    switch self {
    case .launch(let campaignID, _), .chunk(let campaignID, _, _): campaignID
    }
  }

  public func encode(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.field("campaignId", campaignID)
    switch self {
    case .launch(_, let runID):
      writer.field("runId", runID)
    case .chunk(_, let runID, let leadIDs):
      if let runID { writer.field("runId", runID) }
      writer.key("leadIds")
      writer.beginArray()
      for id in leadIDs { writer.string(id.hex) }
      writer.endArray()
    }
    writer.endObject()
  }

  public func encoded() -> [UInt8] {
    var capacity = 128
    if case .chunk(_, _, let leadIDs) = self { capacity += 27 * leadIDs.count }
    var writer = JSONWriter(reservingCapacity: capacity)
    encode(to: &writer)
    return writer.bytes
  }

  public static func decode(_ bytes: [UInt8]) throws(RecordError) -> CampaignJob {
    let reader = try RecordReader(bytes, fields: ["campaignId", "runId", "leadIds"])
    let campaignID = try reader.objectID("campaignId")
    guard reader.has("leadIds") else {
      guard reader.has("runId") else {
        throw RecordError("is required: a launch names its run, a chunk its leadIds", field: "runId")
      }
      return .launch(campaignID: campaignID, runID: try reader.uuid("runId"))
    }
    return .chunk(
      campaignID: campaignID, runID: reader.has("runId") ? try reader.uuid("runId") : nil,
      leadIDs: try reader.objectIDs("leadIds", count: 1...mostLeads))
  }
}
