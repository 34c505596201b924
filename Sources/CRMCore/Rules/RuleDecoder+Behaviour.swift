import BSON
import JSON

/// Conditions that look beyond the lead's own document.
extension RuleDecoder {
  mutating func orders(_ object: JSONObject, _ path: String, depth: Int) -> Rule? {
    let members = self.members(
      of: object, path, required: ["type", "measure", "operator", "value"], optional: ["where", "within"])
    let filter = members["where"].flatMap { rule($0, "\(path).where", depth: depth, scope: .order) }
    let within = members["within"].flatMap { span($0, "\(path).within") }
    let measure: OrdersCondition.Measure? = members["measure"].flatMap { choice($0, "\(path).measure") }
    let op = members["operator"].flatMap { self.operator($0, "\(path).operator") }
    guard let measure, let op,
      check(op, in: RuleOperator.allowed(on: measure), on: "the \(measure) of orders", "\(path).operator"),
      let json = members["value"]
    else { return nil }
    guard !json.isNull else {
      report("\(path).value", .invalidType, "expected a value: null cannot be compared with the \(measure) of orders")
      return nil
    }
    guard let value = value(json, "\(path).value", for: op, kind: measure.kind) else { return nil }
    return .orders(OrdersCondition(filter: filter, within: within, measure: measure, operator: op, value: value))
  }

  mutating func campaign(_ object: JSONObject, _ path: String) -> Rule? {
    let members = self.members(
      of: object, path, required: ["type", "campaign_id", "status"], optional: ["within", "negate"])
    let campaign: ObjectID? =
      members["campaign_id"]?.stringValue == "any"
      ? nil : members["campaign_id"].flatMap { id($0, "\(path).campaign_id", orAny: true) }
    let within = members["within"].flatMap { span($0, "\(path).within") }
    var negate = false
    if let json = members["negate"] {
      if case .bool(let flag) = json {
        negate = flag
      } else {
        report("\(path).negate", .invalidType, "expected true or false, got \(json.shown)")
      }
    }
    let status: CampaignCondition.Status? = members["status"].flatMap { choice($0, "\(path).status") }
    guard let status else { return nil }
    return .campaign(CampaignCondition(campaign: campaign, status: status, within: within, negate: negate))
  }

  mutating func segment(_ object: JSONObject, _ path: String) -> Rule? {
    let members = self.members(of: object, path, required: ["type", "segment_id"])
    return members["segment_id"].flatMap { id($0, "\(path).segment_id", orAny: false) }.map { .segment($0) }
  }

  private mutating func id(_ json: JSONValue, _ path: String, orAny: Bool) -> ObjectID? {
    if let id = json.stringValue.flatMap(ObjectID.init(hex:)) { return id }
    report(
      path, .invalidValue, "expected an id of 24 hexadecimal digits\(orAny ? #" or "any""# : ""), got \(json.shown)")
    return nil
  }

  private mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ json: JSONValue, _ path: String
  ) -> Choice? {
    if let choice = json.stringValue.flatMap(Choice.init(rawValue:)) { return choice }
    let choices = Choice.allCases.map(\.rawValue).joined(separator: ", ")
    report(path, .invalidValue, "expected one of \(choices), got \(json.shown)")
    return nil
  }
}
