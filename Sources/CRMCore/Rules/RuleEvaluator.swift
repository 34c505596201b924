import BSON

/// A rule over lead fields ready to be put to leads, one after another: made once per rule and instant, used for any
/// number of leads.
public struct RuleEvaluator: Sendable {
  private let rule: CompiledRule

  fileprivate init(_ rule: CompiledRule) { self.rule = rule }

  /// Whether a lead's document fulfils the rule.
  public func matches(_ lead: BSONDocument) -> Bool { rule.root.matches(lead) { _ in false } }

  /// Whether a lead's document fulfils the rule, with the conditions that decided.
  public func decide(_ lead: BSONDocument) -> RuleDecision { rule.decide(lead) { _ in [] } }
}

extension CompiledRule {
  /// - Throws: `needsBehaviour` for every condition that the lead's own document does not answer.
  public func evaluator() throws(RuleError) -> RuleEvaluator {
    guard behaviours.isEmpty else { throw needsBehaviour }
    return RuleEvaluator(self)
  }

  /// Whether one lead fulfils the rule, with the conditions that decided.
  ///
  /// - Parameter documents: all of the lead's documents in a query's collection.
  public func decide(
    _ lead: BSONDocument, documents: (BehaviourQuery) throws -> [BSONDocument]
  ) rethrows -> RuleDecision {
    let answers = try behaviours.map { $0.answer(for: try documents($0)) }
    let (matches, deciders) = root.decide(lead, answers)
    return RuleDecision(matches: matches, decidedBy: deciders)
  }
}

extension CompiledRule.Node {
  /// - Parameter behaviour: the answer to a behaviour query, by its index.
  func matches(_ document: BSONDocument, _ behaviour: (Int) -> Bool) -> Bool {
    switch self {
    case .all(let nodes): nodes.allSatisfy { $0.matches(document, behaviour) }
    case .any(let nodes): nodes.contains { $0.matches(document, behaviour) }
    case .not(let node): !node.matches(document, behaviour)
    case .condition(_, let predicate): predicate.matches(document)
    case .behaviour(_, let index): behaviour(index)
    case .segment(_, let node): node.matches(document, behaviour)
    }
  }
}
