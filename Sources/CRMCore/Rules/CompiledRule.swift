import BSON
import CivilTime

/// A rule at one instant in one zone: dates and segments are resolved, orders and campaigns are named as questions.
///
/// Translator, evaluator and explanation of a decision all read this one form.
public struct CompiledRule: Sendable {
  let root: Node
  /// What has to be asked beside the lead's own document, in the order of the rule's text.
  public let behaviours: [BehaviourQuery]

  indirect enum Node: Sendable {
    case all([Node])
    case any([Node])
    case not(Node)
    case condition(Leaf, Predicate)
    /// An index into `behaviours`.
    case behaviour(Leaf, Int)
    /// Another segment's rule; a decision names the segment, not what is within it.
    case segment(Leaf, Node)
  }

  /// A condition as a decision names it.
  struct Leaf: Sendable {
    let path: String
    let rule: Rule
  }
}

extension Rule {
  /// The rule's meaning at one instant.
  ///
  /// - Parameters:
  ///   - zone: where days begin and end.
  ///   - path: where the rule stands in the request, for problems and decisions.
  ///   - hasOrderTotals: whether leads carry the totals over all of their orders (`order_totals`); conditions
  ///     about all orders then ask the lead, else the orders.
  ///   - hasLaterOrders: whether there may be orders later than `now`. Where there are none, the dates of a lead's last
  ///     orders tell whether there are so many in a window that ends now.
  ///   - segments: the rule of a stored segment and its own zone; nil for one that does not exist.
  /// - Throws: `invertedRange` when a range is the wrong way round now, `unknownSegment`, `cycle`.
  public func compiled(
    now: Timestamp, zone: CalendarZone = .utc, path: String = "rule_ast",
    hasOrderTotals: Bool = false, hasLaterOrders: Bool = true,
    segments: (ObjectID) -> (rule: Rule, zone: CalendarZone)? = { _ in nil }
  ) throws(RuleError) -> CompiledRule {
    try withoutActuallyEscaping(segments) { segments throws(RuleError) in
      var compiler = RuleCompiler(
        now: now, hasOrderTotals: hasOrderTotals, hasLaterOrders: hasLaterOrders, segments: segments)
      let root = try compiler.node(self, path, ConditionCompiler(clock: RuleClock(now: now, zone: zone)))
      return CompiledRule(root: root, behaviours: compiler.behaviours)
    }
  }

  /// The MongoDB filter of a rule over lead fields.
  ///
  /// - Throws: as `compiled`; `needsBehaviour` for every condition about orders, campaigns or segments; `tooLarge` when
  ///   the server would not take the filter.
  public func filter(now: Timestamp, zone: CalendarZone = .utc) throws(RuleError) -> BSONDocument {
    try requireLeadFieldsOnly()
    return try compiled(now: now, zone: zone).filter()
  }

  /// Whether a lead's document fulfils a rule over lead fields. For many leads, use one `RuleEvaluator`.
  public func evaluate(lead: BSONDocument, now: Timestamp, zone: CalendarZone = .utc) throws(RuleError) -> Bool {
    try requireLeadFieldsOnly()
    return try compiled(now: now, zone: zone).evaluator().matches(lead)
  }

  /// As `evaluate`, with the conditions that decided.
  public func evaluateExplaining(
    lead: BSONDocument, now: Timestamp, zone: CalendarZone = .utc
  ) throws(RuleError) -> RuleDecision {
    try requireLeadFieldsOnly()
    return try compiled(now: now, zone: zone).evaluator().decide(lead)
  }
}
