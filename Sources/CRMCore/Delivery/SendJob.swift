import BSON
import Crypto
import JSON

/// A record of `campaign.send_jobs`: one personalised message to be sent.
public struct SendJob: Sendable, Hashable {
  public var sendID: UUIDBytes
  public var campaignID: ObjectID
  public var runID: UUIDBytes
  public var leadID: ObjectID
  public var channel: Channel
  /// A telephone number in E.164, or an e-mail address.
  public var to: String
  public var message: String
  /// The first is 1.
  public var attempt: Int32
  /// A message that somebody tries a campaign with: it belongs to no run and is counted nowhere.
  public var isTest: Bool

  public init(
    sendID: UUIDBytes, campaignID: ObjectID, runID: UUIDBytes, leadID: ObjectID, channel: Channel, to: String,
    message: String, attempt: Int32 = 1, isTest: Bool = false
  ) {
    self.sendID = sendID
    self.campaignID = campaignID
    self.runID = runID
    self.leadID = leadID
    self.channel = channel
    self.to = to
    self.message = message
    self.attempt = attempt
    self.isTest = isTest
  }

  public func encode(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.field("send_id", sendID)
    writer.field("campaign_id", campaignID)
    writer.field("run_id", runID)
    writer.field("lead_id", leadID)
    writer.field("channel", channel.rawValue)
    writer.field("to", to)
    writer.field("message", message)
    writer.field("attempt", Int64(attempt))
    if isTest { writer.field("test", true) }
    writer.endObject()
  }

  public func encoded() -> [UInt8] {
    var writer = JSONWriter(reservingCapacity: 320 + message.utf8.count)
    encode(to: &writer)
    return writer.bytes
  }

  public static func decode(_ bytes: [UInt8]) throws(RecordError) -> SendJob {
    let reader = try RecordReader(
      bytes, fields: ["send_id", "campaign_id", "run_id", "lead_id", "channel", "to", "message", "attempt", "test"])
    return SendJob(
      sendID: try reader.uuid("send_id"), campaignID: try reader.objectID("campaign_id"),
      runID: try reader.uuid("run_id"), leadID: try reader.objectID("lead_id"),
      channel: try reader.choice("channel", Channel.allCases), to: try reader.string("to"),
      message: try reader.string("message"), attempt: try reader.attempt("attempt"),
      isTest: try reader.flag("test"))
  }
}
