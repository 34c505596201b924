import BSON
import CivilTime
import JSON

/// A saved rule: those leads for which it holds are the segment, whenever it is asked.
public struct Segment: Sendable, Equatable {
  public var id: ObjectID
  public var name: String
  public var ownerUserID: String?
  /// The rule in the rule language.
  public var rule: JSONValue
  /// The zone in which the rule's calendar words are meant.
  public var timezone: String
  /// How many leads the last preview counted, and when.
  public var previewCount: Int64?
  public var previewedAt: Timestamp?
  public var createdAt: Timestamp
  public var updatedAt: Timestamp

  public init(
    id: ObjectID, name: String, ownerUserID: String? = nil, rule: JSONValue, timezone: String = "UTC",
    previewCount: Int64? = nil, previewedAt: Timestamp? = nil, createdAt: Timestamp, updatedAt: Timestamp
  ) {
    self.id = id
    self.name = name
    self.ownerUserID = ownerUserID
    self.rule = rule
    self.timezone = timezone
    self.previewCount = previewCount
    self.previewedAt = previewedAt
    self.createdAt = createdAt
    self.updatedAt = updatedAt
  }
}

extension Segment {
  /// What a duplicate is called unless it is given a name; a long name is cut to make room.
  public var nameOfCopy: String {
    let suffix = " (copy)"
    let room = SegmentInput.nameLength.upperBound - suffix.unicodeScalars.count
    return String(String.UnicodeScalarView(name.unicodeScalars.prefix(room))) + suffix
  }

  public init(bson: BSONDocument) throws(DocumentShapeError) {
    let reader = DocumentReader("segment", bson)
    self.init(
      id: try reader.id(), name: try reader.string("name"), ownerUserID: try reader.optionalString("owner_user_id"),
      rule: JSONValue(bson: try reader.required("rule_ast", "a document") { $0.documentValue == nil ? nil : $0 }),
      timezone: try reader.optionalString("timezone") ?? "UTC",
      previewCount: try reader.optional("preview_count", "an integer", \.int64Value),
      previewedAt: try reader.optionalTime("previewed_at"), createdAt: try reader.time("created_at"),
      updatedAt: try reader.time("updated_at"))
  }

  public func bson() -> BSONDocument {
    var document = BSONDocument(capacity: 512)
    document.append("_id", id)
    document.append("name", name)
    document.append("owner_user_id", optional: ownerUserID)
    document.append("rule_ast", BSONValue(json: rule))
    document.append("timezone", timezone)
    if let previewCount { document.append("preview_count", previewCount) }
    document.append("previewed_at", optional: previewedAt)
    document.append("created_at", createdAt)
    document.append("updated_at", updatedAt)
    return document
  }
}

extension Segment: JSONRepresentable {
  public var jsonValue: JSONValue {
    [
      "_id": .string(id.hex), "name": .string(name), "owner_user_id": JSONValue(ownerUserID), "rule_ast": rule,
      "timezone": .string(timezone), "preview_count": previewCount.map { .int($0) } ?? .null,
      "previewed_at": JSONValue(previewedAt), "created_at": JSONValue(createdAt), "updated_at": JSONValue(updatedAt),
    ]
  }
}
