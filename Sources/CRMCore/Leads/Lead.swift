import BSON
import CivilTime
import JSON

/// A person or company that messages go to.
public struct Lead: Sendable, Equatable {
  public var id: ObjectID
  public var name: String
  /// At least one; lower case; each belongs to one lead only.
  public var emails: [String]
  /// E.164.
  public var phones: [String]
  public var tags: [String]
  /// In the base currency.
  public var totalSpend: Double
  /// How many orders there were.
  public var visits: Int64
  public var lastOrderAt: Timestamp?
  /// See `Metadata` for what may be in it.
  public var metadata: BSONDocument
  /// Channels that must not be used, and since when.
  public var optedOut: [Channel: Timestamp]
  public var createdAt: Timestamp
  public var updatedAt: Timestamp

  public init(
    id: ObjectID, name: String, emails: [String], phones: [String] = [], tags: [String] = [], totalSpend: Double = 0,
    visits: Int64 = 0, lastOrderAt: Timestamp? = nil, metadata: BSONDocument = [:],
    optedOut: [Channel: Timestamp] = [:], createdAt: Timestamp, updatedAt: Timestamp
  ) {
    self.id = id
    self.name = name
    self.emails = emails
    self.phones = phones
    self.tags = tags
    self.totalSpend = totalSpend
    self.visits = visits
    self.lastOrderAt = lastOrderAt
    self.metadata = metadata
    self.optedOut = optedOut
    self.createdAt = createdAt
    self.updatedAt = updatedAt
  }

  /// Where a message on this channel goes: the first telephone number, or the first e-mail address. Nil: nowhere.
  public func address(for channel: Channel) -> String? {
    switch channel {
    case .whatsapp, .sms: phones.first
    case .email: emails.first
    }
  }
}

extension Lead {
  public init(bson: BSONDocument) throws(DocumentShapeError) {
    let reader = DocumentReader("lead", bson)
    var optedOut: [Channel: Timestamp] = [:]
    for (key, value) in try reader.document("opted_out") ?? [:] {
      guard let channel = Channel(rawValue: key), let at = value.dateMilliseconds else {
        throw reader.error("opted_out.\(key)", "a date of a known channel")
      }
      optedOut[channel] = Timestamp(milliseconds: at)
    }
    self.init(
      id: try reader.id(), name: try reader.string("name"), emails: try reader.strings("emails"),
      phones: try reader.strings("phones"), tags: try reader.strings("tags"),
      totalSpend: try reader.double("total_spend", default: 0), visits: try reader.integer("visits", default: 0),
      lastOrderAt: try reader.optionalTime("last_order_at"), metadata: try reader.document("metadata") ?? [:],
      optedOut: optedOut, createdAt: try reader.time("created_at"), updatedAt: try reader.time("updated_at"))
  }

  public func bson() -> BSONDocument {
    var document = BSONDocument(capacity: 384 + metadata.bytes.count)
    document.append("_id", id)
    document.append("name", name)
    document.append("emails", strings: emails)
    document.append("phones", strings: phones)
    document.append("tags", strings: tags)
    document.append("total_spend", totalSpend)
    document.append("visits", visits)
    document.append("last_order_at", optional: lastOrderAt)
    document.append("metadata", document: metadata)
    if !optedOut.isEmpty {
      document.appendDocument("opted_out") { nested in
        for channel in Channel.allCases { nested.append(channel.rawValue, optional: optedOut[channel]) }
      }
    }
    document.append("created_at", createdAt)
    document.append("updated_at", updatedAt)
    return document
  }
}

extension Lead: JSONRepresentable {
  public var jsonValue: JSONValue {
    let optOuts = Channel.allCases.compactMap { channel in
      optedOut[channel].map { (key: channel.rawValue, value: JSONValue.string($0.description)) }
    }
    return [
      "_id": .string(id.hex), "name": .string(name), "emails": .array(emails.map(JSONValue.string)),
      "phones": .array(phones.map(JSONValue.string)), "tags": .array(tags.map(JSONValue.string)),
      "total_spend": .double(totalSpend), "visits": .int(visits), "last_order_at": JSONValue(lastOrderAt),
      "metadata": .object(JSONObject(bson: metadata)), "opted_out": .object(JSONObject(optOuts)),
      "created_at": JSONValue(createdAt), "updated_at": JSONValue(updatedAt),
    ]
  }
}
