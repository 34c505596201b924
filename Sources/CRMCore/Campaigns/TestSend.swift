import BSON
import CivilTime
import Crypto
import JSON

/// A message that somebody sends to an address of their own, to see what a campaign's leads would get.
///
/// It goes through the same topics and vendors as any other, under an id of its own, and is counted nowhere: its row is
/// not in the communication log.
public struct TestSend: Sendable, Hashable {
  public let id: UUIDBytes
  public let campaignID: ObjectID
  /// Whose values the message has.
  public let leadID: ObjectID
  public let channel: Channel
  public let to: String
  public let message: String
  public let createdBy: String?
  public let createdAt: Timestamp

  /// - Parameters:
  ///   - request: the id of the request that asks for it. A repetition has the same, and makes the same send.
  ///   - index: its place among the request's addresses.
  public init(
    request: ObjectID, index: Int, campaign: Campaign, lead: ObjectID, to: String, message: String, by author: String?,
    at now: Timestamp
  ) {
    id = UUIDBytes(v5: "test/\(request.hex)/\(index)", namespace: SendID.namespace)
    campaignID = campaign.id
    leadID = lead
    channel = campaign.channel
    self.to = to
    self.message = message
    createdBy = author
    createdAt = now
  }

  /// Its record of `campaign.send_jobs`; as run it names itself.
  public var job: SendJob {
    SendJob(
      sendID: id, campaignID: campaignID, runID: id, leadID: leadID, channel: channel, to: to, message: message,
      isTest: true)
  }

  /// Its row at first.
  public var document: BSONDocument {
    var document = BSONDocument()
    document.appendUUID("_id", id.bytes)
    document.append("campaign_id", campaignID)
    document.append("lead_id", leadID)
    document.append("channel", channel.rawValue)
    document.append("to", to)
    document.append("message", message)
    document.append("status", SendStatus.queued.rawValue)
    document.append("rank", SendStatus.queued.rank)
    document.append("attempt", Int32(0))
    if let createdBy { document.append("created_by", createdBy) }
    document.appendDate("created_at", milliseconds: createdAt.milliseconds)
    document.appendDate("updated_at", milliseconds: createdAt.milliseconds)
    return document
  }
}

/// `{"to":["+1…"],"lead_id"?}`
public struct TestSendInput: Sendable, Hashable {
  public static let mostAddresses = 10

  public let to: [String]
  public let leadID: ObjectID?

  /// Every address has to be one of the channel; one that is given twice counts once.
  ///
  /// - Throws: also for a good address of another channel, with the code `wrong_channel`.
  public static func decode(_ json: JSONValue, channel: Channel) throws(ValidationError) -> TestSendInput {
    var reader = ObjectReader(json)
    let addresses = reader.strings("to", required: true, count: 1...mostAddresses, normalise) ?? []
    for (index, address) in addresses.enumerated() where !channel.takes(address) {
      reader.reject("to[\(index)]", FieldProblem("wrong_channel", "is no address for \(channel.rawValue)"))
    }
    let lead = reader.objectID("lead_id")
    if let error = ValidationError(reader.finish()) { throw error }
    return TestSendInput(to: addresses, leadID: lead)
  }

  private static func normalise(_ text: String) -> Result<String, FieldProblem> {
    text.utf8.contains(UInt8(ascii: "@")) ? EmailAddress.normalise(text) : PhoneNumber.normalise(text)
  }
}
