import BSON
import JSON

/// Whether a lead fulfils a rule, and why.
public struct RuleDecision: Sendable, Equatable, JSONRepresentable {
  /// One condition that decided.
  public struct Decider: Sendable, Equatable {
    /// `rule_ast.children[0]`.
    public let path: String
    /// The field's name; `orders.<measure>`, `campaign.<status>` or `segment` for conditions of these types.
    public let field: String
    public let `operator`: String
    /// The condition's value, as the rule has it.
    public let value: JSONValue
    /// What the lead has; null when that is missing.
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

/// What a behaviour query comes to for one lead.
public struct BehaviourAnswer: Sendable {
  let holds: Bool
  let actual: JSONValue
}

extension BehaviourQuery {
  func answer(for documents: [BSONDocument]) -> BehaviourAnswer {
    switch question {
    case .orders(let query): query.answer(value: query.value(of: documents))
    case .campaign(let query): query.answer(hasMessage: query.hasMessage(in: documents))
    }
  }

  /// The answer for a lead of whom `pipeline(ofLead:)` yielded this, or nothing.
  public func answer(found: BSONDocument?) -> BehaviourAnswer {
    switch question {
    case .orders(let query): query.answer(value: found.map { $0["value"] } ?? query.value(of: []))
    case .campaign(let query): query.answer(hasMessage: found != nil)
    }
  }
}

extension OrdersQuery {
  fileprivate func answer(value: BSONValue?) -> BehaviourAnswer {
    BehaviourAnswer(holds: holds(forValue: value), actual: value.map(JSONValue.init(bson:)) ?? .null)
  }
}

extension CampaignQuery {
  fileprivate func answer(hasMessage: Bool) -> BehaviourAnswer {
    BehaviourAnswer(holds: hasMessage != negate, actual: .bool(hasMessage))
  }
}

extension CompiledRule.Node {
  /// The decision and what decided it: of an AND that fails, the first child that fails; of one that holds, all of them.
  func decide(_ lead: BSONDocument, _ answers: [BehaviourAnswer]) -> (Bool, [RuleDecision.Decider]) {
    switch self {
    case .all(let nodes): return Self.decide(nodes, lead, answers, unless: false)
    case .any(let nodes): return Self.decide(nodes, lead, answers, unless: true)
    case .not(let node):
      let (result, deciders) = node.decide(lead, answers)
      return (!result, deciders)
    case .condition(let leaf, let predicate):
      let result = RuleProgram(predicate, .lead).matches(lead)
      return (result, [leaf.decider(result, leaf.actual(in: lead))])
    case .behaviour(let leaf, let index):
      return (answers[index].holds, [leaf.decider(answers[index].holds, answers[index].actual)])
    case .segment(let leaf, let node):
      let (result, _) = node.decide(lead, answers)
      return (result, [leaf.decider(result, .bool(result))])
    }
  }

  private static func decide(
    _ nodes: [CompiledRule.Node], _ lead: BSONDocument, _ answers: [BehaviourAnswer], unless decisive: Bool
  ) -> (Bool, [RuleDecision.Decider]) {
    var deciders: [RuleDecision.Decider] = []
    for node in nodes {
      let (result, inner) = node.decide(lead, answers)
      if result == decisive { return (decisive, inner) }
      deciders += inner
    }
    return (!decisive, deciders)
  }
}

extension CompiledRule.Leaf {
  fileprivate func actual(in lead: BSONDocument) -> JSONValue {
    let value: BSONValue? =
      switch rule {
      case .condition(let condition): lead.value(at: condition.field.path)
      case .orders(let orders):
        lead.value(at: RuleField.total(orders.measure).path) ?? OrdersQuery.valueWithoutOrders(orders.measure)
      case .and, .or, .not, .campaign, .segment: nil
      }
    return value.map(JSONValue.init(bson:)) ?? .null
  }

  fileprivate func decider(_ result: Bool, _ actual: JSONValue) -> RuleDecision.Decider {
    let (field, op, value): (String, String, JSONValue) =
      switch rule {
      case .condition(let condition):
        (condition.field.name, condition.operator.rawValue, condition.value.json)
      case .orders(let orders): ("orders.\(orders.measure)", orders.operator.rawValue, orders.value.json)
      case .campaign(let campaign):
        ("campaign.\(campaign.status.rawValue)", campaign.negate ? "!=" : "=", .string(campaign.campaign?.hex ?? "any"))
      case .segment(let id): ("segment", "=", .string(id.hex))
      case .and, .or, .not: ("", "", .null)
      }
    return RuleDecision.Decider(path: path, field: field, operator: op, value: value, actual: actual, result: result)
  }
}
