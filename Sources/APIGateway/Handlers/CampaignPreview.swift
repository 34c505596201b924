import BSON
import CRMCore
import JSON

/// The messages of a campaign as some leads would get them.
enum CampaignPreview {
  static let largest: Int64 = 20
  static let usual = 10

  /// Whose messages are wanted.
  enum Choice: Sendable {
    case first(Int)
    case leads([ObjectID])
  }

  /// Reads `{"limit"}` or `{"lead_ids"}`; no body asks for ten.
  static func decode(_ json: JSONValue?) throws(ValidationError) -> Choice {
    guard let json else { return .first(usual) }
    var reader = ObjectReader(json)
    let limit = reader.integer("limit", in: 1...largest)
    var ids: [ObjectID]?
    if let elements = reader.array("lead_ids", count: 1...Int(largest)) {
      ids = []
      for (index, element) in elements.enumerated() {
        if let id = element.stringValue.flatMap({ ObjectID(hex: $0) }) {
          ids?.append(id)
        } else {
          reader.reject(
            "lead_ids[\(index)]", FieldProblem("invalid_id", "must be an id of 24 hexadecimal digits"))
        }
      }
    }
    if reader.has("limit"), reader.has("lead_ids") {
      reader.reject("limit", FieldProblem("conflict", "must not be given beside lead_ids"))
    }
    if let error = ValidationError(reader.finish()) { throw error }
    if let ids { return .leads(ids) }
    return .first(limit.map(Int.init) ?? usual)
  }

  static func render(
    _ campaign: Campaign, _ leads: [Lead], in zone: CalendarZone, asked choice: Choice
  ) throws -> JSONValue {
    let template = try template(of: campaign)
    let messages = leads.map { lead in
      row(lead.id, LeadMessage(template, for: lead, channel: campaign.channel, in: zone))
    }
    guard case .leads(let ids) = choice else { return .array(messages) }
    let known = Set(leads.map(\.id))
    let unknown = ids.filter { !known.contains($0) }.map { id -> JSONValue in
      ["lead_id": .string(id.hex), "skipped": "there is no such lead"]
    }
    return .array(messages + unknown)
  }

  /// What one lead would read, wherever it is sent to.
  ///
  /// - Throws: `Problem.impossibleMessage` when the lead lacks a value of the template.
  static func message(_ campaign: Campaign, _ lead: Lead, in zone: CalendarZone) throws -> String {
    switch try template(of: campaign).render(lead, in: zone) {
    case .message(let text): return text
    case .skipped(let reason):
      throw Problem(.impossibleMessage, "Lead \(lead.id.hex) would get no message: \(reason).")
    }
  }

  private static func template(of campaign: Campaign) throws -> MessageTemplate {
    do {
      return try MessageTemplate(parsing: campaign.messageTemplate)
    } catch {
      throw ValidationError(field: "message_template", code: "invalid_template", message: "\(error)")
    }
  }

  private static func row(_ id: ObjectID, _ message: LeadMessage) -> JSONValue {
    switch message {
    case .send(let to, let text): ["lead_id": .string(id.hex), "to": .string(to), "message": .string(text)]
    case .skip(let reason): ["lead_id": .string(id.hex), "skipped": .string(reason)]
    }
  }
}
