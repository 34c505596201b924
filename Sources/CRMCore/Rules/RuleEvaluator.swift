import BSON
import JSON

/// A rule ready to be put to leads, one after another: made once per rule and instant, used for any number of leads.
public struct RuleEvaluator: Sendable {
  private let root: CompiledRule.Node
  private let behaviours: [BehaviourQuery]

  fileprivate init(root: CompiledRule.Node, behaviours: [BehaviourQuery]) {
    self.root = root
    self.behaviours = behaviours
  }

  /// Whether a lead's document fulfils the rule.
  public func matches(_ lead: BSONDocument) -> Bool { root.matches(lead) }

  /// Whether a lead fulfils the rule, with the conditions that decided.
  public func decide(_ lead: BSONDocument) -> RuleDecision {
    var trace = DecisionTrace(lead: lead, answers: [], behaviours: behaviours)
    let (matches, deciders) = trace.decide(root)
    return RuleDecision(matches: matches, decidedBy: deciders)
  }
}

/// Whether a lead fulfils a rule, and why.
public struct RuleDecision: Sendable, Equatable, JSONRepresentable {
  /// One condition that decided.
  public struct Decider: Sendable, Equatable {
    /// `rule_ast.children[0]`.
    public let path: String
    public let field: String
    public let `operator`: String
    /// The condition's value, as the rule has it.
    public let value: JSONValue
    /// What the lead has; null when the field is missing.
    public let actual: JSONValue
    /// Whether the condition holds.
    public let result: Bool
  }

  public let matches: Bool
  /// Conditions that suffice for the decision whatever the others are, in the order of the rule.
  public let decidedBy: [Decider]

  public var jsonValue: JSONValue {
    [
      "matches": .bool(matches),
      "decided_by": .array(
        decidedBy.map { decider in
          [
            "path": .string(decider.path), "field": .string(decider.field), "operator": .string(decider.operator),
            "value": decider.value, "actual": decider.actual, "result": .bool(decider.result),
          ]
        }),
    ]
  }
}
