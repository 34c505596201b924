import BSON
import CivilTime
import Crypto
import JSON

/// The exclusive right to work on a run, for a while.
public struct RunLease: Sendable, Equatable {
  public var owner: String
  public var until: Timestamp
  /// Grows with each holder: a write under an older fence changes nothing.
  public var fence: Int64

  public init(owner: String, until: Timestamp, fence: Int64) {
    self.owner = owner
    self.until = until
    self.fence = fence
  }
}

/// One carrying-out of a campaign, with everything it needs as it was at the launch: later changes do not touch it.
public struct CampaignRun: Sendable, Equatable {
  public var id: UUIDBytes
  public var campaignID: ObjectID
  public var segmentID: ObjectID
  /// The segment's rule at the launch.
  public var rule: JSONValue
  public var timezone: String
  public var messageTemplate: String
  public var channel: Channel
  public var deliveryPolicy: DeliveryPolicy
  /// The `now` of the rule's relative dates.
  public var asOf: Timestamp
  public var state: RunState
  /// Grows with each pause, resume and cancel; checked before every call of a vendor.
  public var epoch: Int64
  /// The last lead whose chunk is written.
  public var cursor: ObjectID?
  /// How many chunks are written; the next chunk's sequence number.
  public var chunks: Int64
  /// How many leads they hold.
  public var audience: Int64
  /// See `AudienceHash`.
  public var audienceHash: String?
  /// The audience is complete and never changes again, but by hand-made chunks.
  public var frozen: Bool
  public var lease: RunLease?
  public var createdAt: Timestamp
  public var updatedAt: Timestamp
  public var completedAt: Timestamp?

  public init(
    id: UUIDBytes, campaignID: ObjectID, segmentID: ObjectID, rule: JSONValue, timezone: String = "UTC",
    messageTemplate: String, channel: Channel, deliveryPolicy: DeliveryPolicy = .atMostOnce, asOf: Timestamp,
    state: RunState = .launched, epoch: Int64 = 0, cursor: ObjectID? = nil, chunks: Int64 = 0, audience: Int64 = 0,
    audienceHash: String? = nil, frozen: Bool = false, lease: RunLease? = nil, createdAt: Timestamp,
    updatedAt: Timestamp, completedAt: Timestamp? = nil
  ) {
    self.id = id
    self.campaignID = campaignID
    self.segmentID = segmentID
    self.rule = rule
    self.timezone = timezone
    self.messageTemplate = messageTemplate
    self.channel = channel
    self.deliveryPolicy = deliveryPolicy
    self.asOf = asOf
    self.state = state
    self.epoch = epoch
    self.cursor = cursor
    self.chunks = chunks
    self.audience = audience
    self.audienceHash = audienceHash
    self.frozen = frozen
    self.lease = lease
    self.createdAt = createdAt
    self.updatedAt = updatedAt
    self.completedAt = completedAt
  }

  /// A run that is about to start: snapshots of the campaign and its segment as of an instant.
  public init(id: UUIDBytes, of campaign: Campaign, segment: Segment, asOf: Timestamp) {
    self.init(
      id: id, campaignID: campaign.id, segmentID: segment.id, rule: segment.rule, timezone: segment.timezone,
      messageTemplate: campaign.messageTemplate, channel: campaign.channel, deliveryPolicy: campaign.deliveryPolicy,
      asOf: asOf, createdAt: asOf, updatedAt: asOf)
  }
}

extension CampaignRun {
  public init(bson: BSONDocument) throws(DocumentShapeError) {
    let reader = DocumentReader("run", bson)
    self.init(
      id: try reader.uuid(), campaignID: try reader.id("campaign_id"), segmentID: try reader.id("segment_id"),
      rule: JSONValue(bson: try reader.required("rule_ast", "a document") { $0.documentValue == nil ? nil : $0 }),
      timezone: try reader.optionalString("timezone") ?? "UTC",
      messageTemplate: try reader.string("message_template"), channel: try reader.choice("channel"),
      deliveryPolicy: try reader.choice("delivery_policy", default: .atMostOnce), asOf: try reader.time("as_of"),
      state: try reader.choice("state"), epoch: try reader.integer("epoch"),
      cursor: try reader.optional("cursor", "an ObjectId", \.objectIDValue),
      chunks: try reader.integer("chunks", default: 0), audience: try reader.integer("audience", default: 0),
      audienceHash: try reader.optionalString("audience_hash"),
      frozen: try reader.optional("frozen", "a boolean", \.boolValue) ?? false, lease: try Self.lease(reader),
      createdAt: try reader.time("created_at"), updatedAt: try reader.time("updated_at"),
      completedAt: try reader.optionalTime("completed_at"))
  }

  private static func lease(_ reader: DocumentReader) throws(DocumentShapeError) -> RunLease? {
    try reader.optional("lease", "an owner, a date and a fence") { value -> RunLease? in
      guard let owner = value["owner"]?.stringValue, let until = value["until"]?.dateMilliseconds,
        let fence = value["fence"]?.int64Value
      else { return nil }
      return RunLease(owner: owner, until: Timestamp(milliseconds: until), fence: fence)
    }
  }

  public func bson() -> BSONDocument {
    var document = BSONDocument(capacity: 1_024 + messageTemplate.utf8.count)
    document.appendUUID("_id", id.bytes)
    document.append("campaign_id", campaignID)
    document.append("segment_id", segmentID)
    document.append("rule_ast", BSONValue(json: rule))
    document.append("timezone", timezone)
    document.append("message_template", messageTemplate)
    document.append("channel", channel.rawValue)
    document.append("delivery_policy", deliveryPolicy.rawValue)
    document.append("as_of", asOf)
    document.append("state", state.rawValue)
    document.append("epoch", epoch)
    if let cursor { document.append("cursor", cursor) }
    document.append("chunks", chunks)
    document.append("audience", audience)
    document.append("audience_hash", optional: audienceHash)
    document.append("frozen", frozen)
    if let lease {
      document.appendDocument("lease") { nested in
        nested.append("owner", lease.owner)
        nested.append("until", lease.until)
        nested.append("fence", lease.fence)
      }
    }
    document.append("created_at", createdAt)
    document.append("updated_at", updatedAt)
    document.append("completed_at", optional: completedAt)
    return document
  }
}

extension CampaignRun: JSONRepresentable {
  /// Without the lease, which is nobody's business outside.
  public var jsonValue: JSONValue {
    [
      "_id": .string(id.string), "campaign_id": .string(campaignID.hex), "segment_id": .string(segmentID.hex),
      "rule_ast": rule, "timezone": .string(timezone), "message_template": .string(messageTemplate),
      "channel": .string(channel.rawValue), "delivery_policy": .string(deliveryPolicy.rawValue),
      "as_of": JSONValue(asOf), "state": .string(state.rawValue), "epoch": .int(epoch), "chunks": .int(chunks),
      "audience": .int(audience), "audience_hash": JSONValue(audienceHash), "frozen": .bool(frozen),
      "created_at": JSONValue(createdAt), "updated_at": JSONValue(updatedAt),
      "completed_at": JSONValue(completedAt),
    ]
  }
}

/// A fingerprint of a frozen audience that grows chunk by chunk: SHA-256 of the fingerprint before (nothing for the first
/// chunk) followed by the chunk's lead ids, as lower-case hexadecimal.
public enum AudienceHash {
  public static func adding(_ leadIDs: [ObjectID], to previous: String?) -> String {
    var input = Array((previous ?? "").utf8)
    input.reserveCapacity(input.count + 12 * leadIDs.count)
    for id in leadIDs { input.append(contentsOf: id.bytes) }
    return hexString(SHA256.digest(input))
  }
}
