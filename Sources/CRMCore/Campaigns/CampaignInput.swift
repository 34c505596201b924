import BSON
import CivilTime
import JSON

/// A new campaign as a client sends it, checked and normalised.
public struct CampaignInput: Sendable, Equatable {
  public var name: String
  public var segmentID: ObjectID
  public var messageTemplate: String
  public var channel: Channel
  public var createdBy: String
  public var scheduleAt: Timestamp?
  /// Launch it at once.
  public var send: Bool
  public var deliveryPolicy: DeliveryPolicy

  public init(
    name: String, segmentID: ObjectID, messageTemplate: String, channel: Channel, createdBy: String,
    scheduleAt: Timestamp? = nil, send: Bool = false, deliveryPolicy: DeliveryPolicy = .atMostOnce
  ) {
    self.name = name
    self.segmentID = segmentID
    self.messageTemplate = messageTemplate
    self.channel = channel
    self.createdBy = createdBy
    self.scheduleAt = scheduleAt
    self.send = send
    self.deliveryPolicy = deliveryPolicy
  }

  /// Checks and normalises, reporting every bad field below `path`. Whether `schedule_at` is in the past is the caller's
  /// to judge, who has a clock.
  ///
  /// - Parameter author: who made the campaign when `created_by` is not given; without one it is required.
  public static func decode(
    _ json: JSONValue, path: String = "", author: String? = nil
  ) -> Result<CampaignInput, ValidationError> {
    var reader = ObjectReader(json, path: path)
    let name = reader.string("name", required: true, length: 1...200)
    let segment = reader.objectID("segment_id", required: true)
    let template = reader.messageTemplate("message_template", required: true)
    let channel = reader.choice("channel", of: Channel.self, required: true)
    let createdBy = reader.string("created_by", required: author == nil, length: 1...200) ?? author
    let schedule = reader.timestamp("schedule_at")
    let send = reader.bool("send") ?? false
    let policy = reader.choice("delivery_policy", of: DeliveryPolicy.self) ?? .atMostOnce
    if send, schedule != nil {
      reader.reject("send", FieldProblem("conflict", "must not be true beside schedule_at"))
    }
    return reader.result {
      guard let name, let segment, let template, let channel, let createdBy else { return nil }
      return CampaignInput(
        name: name, segmentID: segment, messageTemplate: template, channel: channel, createdBy: createdBy,
        scheduleAt: schedule, send: send, deliveryPolicy: policy)
    }
  }

  /// The campaign to store: SCHEDULED when it has a time, else DRAFT.
  public func newCampaign(id: ObjectID, at now: Timestamp) -> Campaign {
    Campaign(
      id: id, name: name, segmentID: segmentID, messageTemplate: messageTemplate, channel: channel,
      createdBy: createdBy, status: scheduleAt == nil ? .draft : .scheduled, scheduleAt: scheduleAt,
      deliveryPolicy: deliveryPolicy, createdAt: now, updatedAt: now)
  }
}

/// A change of a campaign (`PUT`). Nil means: not given, stays as it is.
public struct CampaignChange: Sendable, Equatable {
  public var name: String?
  public var segmentID: ObjectID?
  public var messageTemplate: String?
  public var channel: Channel?
  public var scheduleAt: Timestamp?
  public var deliveryPolicy: DeliveryPolicy?

  public init() {}

  /// Checks and normalises, reporting every bad field below `path`.
  public static func decode(_ json: JSONValue, path: String = "") -> Result<CampaignChange, ValidationError> {
    var reader = ObjectReader(json, path: path)
    var change = CampaignChange()
    change.name = reader.string("name", length: 1...200)
    change.segmentID = reader.objectID("segment_id")
    change.messageTemplate = reader.messageTemplate("message_template")
    change.channel = reader.choice("channel")
    change.scheduleAt = reader.timestamp("schedule_at")
    change.deliveryPolicy = reader.choice("delivery_policy")
    return reader.result { change }
  }

  /// The campaign with the change made; `updatedAt` is set when a value changed.
  public func applied(to campaign: Campaign, at now: Timestamp) -> (campaign: Campaign, changed: Bool) {
    var changed = campaign
    if let name { changed.name = name }
    if let segmentID { changed.segmentID = segmentID }
    if let messageTemplate { changed.messageTemplate = messageTemplate }
    if let channel { changed.channel = channel }
    if let scheduleAt {
      changed.scheduleAt = scheduleAt
      changed.confirmationRequired = false
    }
    if let deliveryPolicy { changed.deliveryPolicy = deliveryPolicy }
    // As bytes: Swift holds composed and decomposed text for equal.
    guard changed.bson() != campaign.bson() else { return (campaign, false) }
    changed.updatedAt = now
    return (changed, true)
  }

  /// Whether anything but the schedule is given: those may change in DRAFT only.
  public var changesMoreThanSchedule: Bool {
    name != nil || segmentID != nil || messageTemplate != nil || channel != nil || deliveryPolicy != nil
  }
}

extension FieldError {
  /// A campaign's segment does not exist.
  public static var unknownSegment: FieldError {
    FieldError(field: "segment_id", code: "unknown_segment", message: "there is no such segment")
  }

  /// A campaign is to be launched at a time that has passed.
  public static func pastSchedule(_ now: Timestamp) -> FieldError {
    FieldError(field: "schedule_at", code: "in_the_past", message: "must be later than \(now)")
  }
}

extension ObjectReader {
  /// The text of a template that parses.
  mutating func messageTemplate(_ key: String, required: Bool = false) -> String? {
    parsed(key, required: required) { text in
      guard !text.trimmed.isEmpty else { return .failure(FieldProblem("required", "must not be empty")) }
      do throws(TemplateError) {
        _ = try MessageTemplate(parsing: text)
        return .success(text)
      } catch {
        return .failure(FieldProblem("invalid_template", error.description))
      }
    }
  }
}
