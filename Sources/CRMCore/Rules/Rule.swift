import BSON

/// A rule over leads: who gets a message. `docs/rules.md` describes the language.
///
/// A rule is made by `Rule.decode` only, so every condition's value fits its field and operator. It keeps relative dates
/// relative; `compiled(now:zone:)` gives them their meaning at one instant, for translator and evaluator alike.
public indirect enum Rule: Hashable, Sendable {
  /// At least one child; true when all are.
  case and([Rule])
  /// At least one child; true when any is.
  case or([Rule])
  case not(Rule)
  case condition(RuleCondition)
  /// A comparison over the lead's orders.
  case orders(OrdersCondition)
  /// Whether the lead was reached by a campaign.
  case campaign(CampaignCondition)
  /// Whether the lead belongs to a stored segment.
  case segment(ObjectID)
}

/// One field compared with a value.
public struct RuleCondition: Hashable, Sendable {
  public let field: RuleField
  public let `operator`: RuleOperator
  public let value: RuleValue

  init(_ field: RuleField, _ operator: RuleOperator, _ value: RuleValue) {
    self.field = field
    self.operator = `operator`
    self.value = value
  }
}

/// What a lead's orders amount to, compared with a value.
public struct OrdersCondition: Hashable, Sendable {
  public enum Measure: String, Sendable, CaseIterable {
    case count, sum, average
    /// The dates of the first and the last matching order.
    case first, last

    /// What the measure is compared with.
    var kind: RuleField.Kind { self == .first || self == .last ? .date : .number }
  }

  /// Which orders count; nil: all of the lead's. A rule over the fields of an order.
  public let filter: Rule?
  /// Only orders of this time up to now.
  public let within: RuleSpan?
  public let measure: Measure
  public let `operator`: RuleOperator
  public let value: RuleValue

  init(filter: Rule?, within: RuleSpan?, measure: Measure, operator: RuleOperator, value: RuleValue) {
    self.filter = filter
    self.within = within
    self.measure = measure
    self.operator = `operator`
    self.value = value
  }

  /// No order is left out.
  var concernsAllOrders: Bool { filter == nil && within == nil }
}

/// Whether a campaign's message got as far as a status.
public struct CampaignCondition: Hashable, Sendable {
  /// Cumulative: delivered includes read, sent includes both; failed is itself.
  public enum Status: String, Sendable, CaseIterable {
    case sent = "SENT"
    case delivered = "DELIVERED"
    case read = "READ"
    case failed = "FAILED"
    case any
  }

  /// Nil: any campaign.
  public let campaign: ObjectID?
  public let status: Status
  /// Only what happened in this time up to now.
  public let within: RuleSpan?
  /// The complement: leads for whom it did not happen.
  public let negate: Bool
}
