import BSON

/// A rule over lead fields ready to be put to leads, one after another: made once per rule and instant, used for any
/// number of leads.
public struct RuleEvaluator: Sendable {
  private let rule: CompiledRule
  private let program: RuleProgram

  fileprivate init(_ rule: CompiledRule) {
    self.rule = rule
    program = RuleProgram(rule.root, .lead)
  }

  /// Whether a lead's document fulfils the rule. Of the document, only what the rule asks for is decoded.
  public func matches(_ lead: BSONDocument) -> Bool { program.matches(lead) }

  /// How many of the leads fulfil the rule.
  public func count(in leads: DecodedLeads) -> Int {
    var count = 0
    program.forEachMatch(in: leads) { _ in count &+= 1 }
    return count
  }

  /// Which of the leads fulfil the rule, by their places, in order.
  public func indices(in leads: DecodedLeads) -> [Int] {
    var indices: [Int] = []
    program.forEachMatch(in: leads) { indices.append($0) }
    return indices
  }

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
    decide(lead, answers: try behaviours.map { $0.answer(for: try documents($0)) })
  }

  /// As above, from answers that are known, in the order of `behaviours`.
  public func decide(_ lead: BSONDocument, answers: [BehaviourAnswer]) -> RuleDecision {
    let (matches, deciders) = root.decide(lead, answers)
    return RuleDecision(matches: matches, decidedBy: deciders)
  }
}
