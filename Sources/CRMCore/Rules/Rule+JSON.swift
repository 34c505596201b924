import JSON

extension Rule {
  /// The rule as JSON, in the canonical notation: `decode` gives the same rule back.
  public func json() -> JSONValue {
    switch self {
    case .and(let children): Self.group("AND", children)
    case .or(let children): Self.group("OR", children)
    case .not(let child): Self.group("NOT", [child])
    case .condition(let condition):
      [
        "type": "condition", "field": .string(condition.field.name), "operator": .string(condition.operator.rawValue),
        "value": condition.value.json,
      ]
    case .orders(let orders): orders.json
    case .campaign(let campaign): campaign.json
    case .segment(let id): ["type": "segment", "segment_id": .string(id.hex)]
    }
  }

  private static func group(_ op: String, _ children: [Rule]) -> JSONValue {
    ["op": .string(op), "children": .array(children.map { $0.json() })]
  }
}

extension OrdersCondition {
  fileprivate var json: JSONValue {
    var object: JSONObject = ["type": "orders"]
    if let filter { object["where"] = filter.json() }
    if let within { object["within"] = .string(within.description) }
    object["measure"] = .string(measure.rawValue)
    object["operator"] = .string(self.operator.rawValue)
    object["value"] = value.json
    return .object(object)
  }
}

extension CampaignCondition {
  fileprivate var json: JSONValue {
    var object: JSONObject = [
      "type": "campaign", "campaign_id": .string(campaign?.hex ?? "any"), "status": .string(status.rawValue),
    ]
    if let within { object["within"] = .string(within.description) }
    object["negate"] = .bool(negate)
    return .object(object)
  }
}

extension RuleValue {
  /// As in rules.
  var json: JSONValue {
    switch self {
    case .null: .null
    case .bool(let flag): .bool(flag)
    case .number(.int(let value)): .int(value)
    case .number(.double(let value)): .double(value)
    case .text(let text): .string(text.string)
    case .date(let date): .string(date.description)
    case .list(let values): .array(values.map(\.json))
    case .range(let low, let high): [low.json, high.json]
    case .span(let span): .string(span.description)
    }
  }
}
