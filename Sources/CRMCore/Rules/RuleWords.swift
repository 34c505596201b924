import JSON

/// Names and values as explanations say them.
extension RuleField {
  var title: String {
    switch name {
    case "emails": "e-mail address"
    case "phones": "phone number"
    case "total_spend": "total spend"
    case "visits": "number of visits"
    case "last_order_at": "date of the last order"
    case "created_at": "date of creation"
    case "updated_at": "date of the last change"
    case "order_no": "order number"
    case "total": "order total"
    case "ordered_at": "date of the order"
    case "items.sku": "an item's SKU"
    case "items.quantity": "an item's quantity"
    case "items.price": "an item's price"
    default: optOut.map { "date of the opt-out of \($0)" } ?? name
    }
  }

  /// The channel of an opt-out's date.
  var optOut: Substring? { name.hasPrefix("opted_out.") ? name.dropFirst("opted_out.".count) : nil }

  /// What the lead did, for amounts that read better so.
  var verb: (verb: String, unit: String)? {
    switch name {
    case "total_spend": ("spent", "")
    case "visits": ("visited", " times")
    default: nil
    }
  }

  var dateSubject: String {
    switch name {
    case "last_order_at": "last ordered"
    case "created_at": "was created"
    case "updated_at": "was last changed"
    case "ordered_at": "was ordered"
    default: optOut.map { "opted out of \($0)" } ?? "\(name) is"
    }
  }
}

extension RuleValue {
  var words: String {
    switch self {
    case .null: "missing"
    case .bool(let flag): flag ? "true" : "false"
    case .number(let number): number.words
    case .text(let text): JSONValue.string(text.string).encodedString()
    case .date(let date): date.description
    case .list(let values): "(\(values.map(\.words).joined(separator: ", ")))"
    case .range(let low, let high): "from \(low.words) to \(high.words)"
    case .span(let span): span.description
    }
  }
}

extension RuleNumber {
  /// With thousands separated, unless the number needs an exponent.
  var words: String {
    let digits =
      switch self {
      case .int(let value): String(value)
      case .double(let value): value.description
      }
    guard !digits.utf8.contains(UInt8(ascii: "e")) else { return digits }
    let parts = digits.split(separator: ".", maxSplits: 1)
    let isNegative = parts[0].hasPrefix("-")
    let whole = isNegative ? parts[0].dropFirst() : parts[0]
    var grouped = ""
    for (index, digit) in whole.enumerated() {
      if index > 0, (whole.count - index) % 3 == 0 { grouped += "," }
      grouped.append(digit)
    }
    return (isNegative ? "-" : "") + grouped + (parts.count > 1 ? ".\(parts[1])" : "")
  }
}

extension OrdersCondition {
  /// It fails without a matching order and does not say so.
  var isSilentAboutMissing: Bool {
    measure != .count && measure != .sum && self.operator != .notEqual && self.operator != .notIn
  }

  var explanation: String {
    var orders = "orders"
    if let within { orders += " of the last \(within)" }
    if let filter { orders += " where (\(filter.explanation()))" }
    let missing =
      switch self.operator {
      case .notEqual, .notIn: " (also when there is none)"
      default: ""
      }
    return switch measure {
    case .count: "the number of \(orders) \(self.operator.predicate(value)) (none counts as 0)"
    case .sum: "the sum of \(orders) \(self.operator.predicate(value)) (none counts as 0)"
    case .average: "the average of \(orders) \(self.operator.predicate(value))\(missing)"
    case .first: "the first of \(orders) was \(self.operator.datePredicate(value))\(missing)"
    case .last: "the last of \(orders) was \(self.operator.datePredicate(value))\(missing)"
    }
  }
}

extension CampaignCondition {
  var explanation: String {
    let message = "message of \(campaign.map { "campaign \($0)" } ?? "any campaign")"
    let happened =
      switch status {
      case .sent: "was sent"
      case .delivered: "was delivered"
      case .read: "was read"
      case .failed: "failed"
      case .any: "was made"
      }
    let when = within.map { " within the last \($0)" } ?? ""
    return "\(negate ? "no" : "a") \(message) \(happened)\(when)"
  }
}
