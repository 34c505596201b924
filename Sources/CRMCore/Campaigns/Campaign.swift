import BSON
import CivilTime
import Crypto
import JSON

/// Why a campaign could not be carried out.
public struct CampaignFailure: Sendable, Equatable {
  /// For programs: `invalid_rule`, `segment_not_found`, …
  public var errorClass: String
  public var message: String
  public var at: Timestamp

  public init(errorClass: String, message: String, at: Timestamp) {
    self.errorClass = errorClass
    self.message = message
    self.at = at
  }
}

/// One message to everybody in a segment.
public struct Campaign: Sendable, Equatable {
  public var id: ObjectID
  public var name: String
  public var segmentID: ObjectID
  public var messageTemplate: String
  public var channel: Channel
  public var createdBy: String
  public var status: CampaignStatus
  public var scheduleAt: Timestamp?
  /// Its time was found past its grace period: it waits for somebody to confirm, to change its time, or to cancel it.
  public var confirmationRequired = false
  public var deliveryPolicy: DeliveryPolicy
  public var currentRun: UUIDBytes?
  /// As they were when last written here; while a run is under way, its own counters are the truth.
  public var stats: CampaignStats?
  public var failure: CampaignFailure?
  public var createdAt: Timestamp
  public var updatedAt: Timestamp

  public init(
    id: ObjectID, name: String, segmentID: ObjectID, messageTemplate: String, channel: Channel, createdBy: String,
    status: CampaignStatus = .draft, scheduleAt: Timestamp? = nil, deliveryPolicy: DeliveryPolicy = .atMostOnce,
    currentRun: UUIDBytes? = nil, stats: CampaignStats? = nil, failure: CampaignFailure? = nil,
    createdAt: Timestamp, updatedAt: Timestamp
  ) {
    self.id = id
    self.name = name
    self.segmentID = segmentID
    self.messageTemplate = messageTemplate
    self.channel = channel
    self.createdBy = createdBy
    self.status = status
    self.scheduleAt = scheduleAt
    self.deliveryPolicy = deliveryPolicy
    self.currentRun = currentRun
    self.stats = stats
    self.failure = failure
    self.createdAt = createdAt
    self.updatedAt = updatedAt
  }
}

extension Campaign {
  public init(bson: BSONDocument) throws(DocumentShapeError) {
    let reader = DocumentReader("campaign", bson)
    self.init(
      id: try reader.id(), name: try reader.string("name"), segmentID: try reader.id("segment_id"),
      messageTemplate: try reader.string("message_template"), channel: try reader.choice("channel"),
      createdBy: try reader.optionalString("created_by") ?? "", status: try reader.choice("status"),
      scheduleAt: try reader.optionalTime("schedule_at"),
      deliveryPolicy: try reader.choice("delivery_policy", default: .atMostOnce),
      currentRun: try reader.optionalUUID("current_run"),
      stats: try reader.document("stats").map(CampaignStats.init(bson:)),
      failure: try Self.failure(reader), createdAt: try reader.time("created_at"),
      updatedAt: try reader.time("updated_at"))
    confirmationRequired = try reader.optional("confirmation_required", "a boolean", \.boolValue) ?? false
  }

  private static func failure(_ reader: DocumentReader) throws(DocumentShapeError) -> CampaignFailure? {
    try reader.optional("failure", "a class, a message and a date") { value -> CampaignFailure? in
      guard let errorClass = value["class"]?.stringValue, let message = value["message"]?.stringValue,
        let at = value["at"]?.dateMilliseconds
      else { return nil }
      return CampaignFailure(errorClass: errorClass, message: message, at: Timestamp(milliseconds: at))
    }
  }

  public func bson() -> BSONDocument {
    var document = BSONDocument(capacity: 512 + messageTemplate.utf8.count)
    document.append("_id", id)
    document.append("name", name)
    document.append("segment_id", segmentID)
    document.append("message_template", messageTemplate)
    document.append("channel", channel.rawValue)
    document.append("created_by", createdBy)
    document.append("status", status.rawValue)
    document.append("schedule_at", optional: scheduleAt)
    if confirmationRequired { document.append("confirmation_required", true) }
    document.append("delivery_policy", deliveryPolicy.rawValue)
    if let currentRun { document.appendUUID("current_run", currentRun.bytes) }
    if let stats { document.append("stats", document: stats.bson()) }
    if let failure {
      document.appendDocument("failure") { nested in
        nested.append("class", failure.errorClass)
        nested.append("message", failure.message)
        nested.append("at", failure.at)
      }
    }
    document.append("created_at", createdAt)
    document.append("updated_at", updatedAt)
    return document
  }
}

extension Campaign: JSONRepresentable {
  public var jsonValue: JSONValue {
    [
      "_id": .string(id.hex), "name": .string(name), "segment_id": .string(segmentID.hex),
      "message_template": .string(messageTemplate), "channel": .string(channel.rawValue),
      "created_by": .string(createdBy), "status": .string(status.rawValue), "schedule_at": JSONValue(scheduleAt),
      "confirmation_required": .bool(confirmationRequired),
      "delivery_policy": .string(deliveryPolicy.rawValue), "current_run": JSONValue(currentRun?.string),
      "stats": stats?.jsonValue ?? .null,
      "failure": failure.map {
        ["class": .string($0.errorClass), "message": .string($0.message), "at": JSONValue($0.at)]
      } ?? .null,
      "created_at": JSONValue(createdAt), "updated_at": JSONValue(updatedAt),
    ]
  }
}
