import BSON
import CivilTime

/// Walks a rule and the segments that it refers to.
struct RuleCompiler {
  let now: Timestamp
  let segments: (ObjectID) -> (rule: Rule, zone: CalendarZone)?
  /// Whether leads carry the totals over all of their orders.
  let hasOrderTotals: Bool
  /// Whether there may be orders later than `now`.
  let hasLaterOrders: Bool
  private(set) var behaviours: [BehaviourQuery] = []
  private var openSegments: [ObjectID] = []
  private var depth = 0
  private var conditions = 0

  init(
    now: Timestamp, hasOrderTotals: Bool, hasLaterOrders: Bool,
    segments: @escaping (ObjectID) -> (rule: Rule, zone: CalendarZone)?
  ) {
    self.now = now
    self.hasOrderTotals = hasOrderTotals
    self.hasLaterOrders = hasLaterOrders
    self.segments = segments
  }

  mutating func node(
    _ rule: Rule, _ path: String, _ conditions: ConditionCompiler
  ) throws(RuleError) -> CompiledRule.Node {
    switch rule {
    case .and(let children): return .all(try self.children(children, path, conditions))
    case .or(let children): return .any(try self.children(children, path, conditions))
    case .not(let child): return .not(try self.children([child], path, conditions)[0])
    case .condition(let condition):
      try count(path)
      return .condition(
        CompiledRule.Leaf(path: path, rule: rule), try conditions.predicate(condition, path: path))
    case .orders(let orders):
      try count(path)
      if hasOrderTotals, orders.concernsAllOrders {
        return .condition(
          CompiledRule.Leaf(path: path, rule: rule), try conditions.predicate(overTotals: orders, path: path))
      }
      let query = OrdersQuery(
        measure: orders.measure, matching: try matchingOrders(orders, path, conditions),
        window: orders.within.map { conditions.clock.range($0, .ago) },
        comparison: try conditions.predicate(
          .measure(orders.measure), orders.operator, orders.value, path: path))
      let leaf = CompiledRule.Leaf(path: path, rule: rule)
      let totals =
        hasOrderTotals ? CompiledRule.Node.all(query.demandsOnTotals().map { .condition(leaf, $0) }) : nil
      if let totals, !hasLaterOrders, orders.filter == nil, query.threshold(orders.operator) != nil {
        return query.holdsWithoutOrders ? .not(totals) : totals
      }
      behaviours.append(
        BehaviourQuery(path: path, question: .orders(query), narrowing: totals?.filter { _ in [:] }))
      return .behaviour(leaf, behaviours.count - 1)
    case .campaign(let campaign):
      try count(path)
      let query = CampaignQuery(campaign, conditions.clock)
      behaviours.append(BehaviourQuery(path: path, question: .campaign(query), narrowing: nil))
      return .behaviour(CompiledRule.Leaf(path: path, rule: rule), behaviours.count - 1)
    case .segment(let id):
      try count(path)
      return .segment(CompiledRule.Leaf(path: path, rule: rule), try segment(id, path))
    }
  }

  private mutating func children(
    _ rules: [Rule], _ path: String, _ conditions: ConditionCompiler
  ) throws(RuleError) -> [CompiledRule.Node] {
    guard depth < RuleLimits.depthWithSegments else {
      throw RuleError(
        path, .tooDeep, "with its segments, the rule nests more than \(RuleLimits.depthWithSegments) deep")
    }
    depth += 1
    var nodes: [CompiledRule.Node] = []
    for (index, rule) in rules.enumerated() {
      nodes.append(try node(rule, "\(path).children[\(index)]", conditions))
    }
    depth -= 1
    return nodes
  }

  /// Which orders count; nil when all do.
  private mutating func matchingOrders(
    _ orders: OrdersCondition, _ path: String, _ conditions: ConditionCompiler
  ) throws(RuleError) -> CompiledRule.Node? {
    var parts: [CompiledRule.Node] = []
    if let filter = orders.filter { parts.append(try node(filter, "\(path).where", conditions)) }
    if let within = orders.within {
      let window = RuleCondition(.orderedAt, .withinLast, .span(within))
      let leaf = CompiledRule.Leaf(path: "\(path).within", rule: .condition(window))
      parts.append(.condition(leaf, try conditions.predicate(window, path: leaf.path)))
    }
    return parts.isEmpty ? nil : .all(parts)
  }

  private mutating func segment(_ id: ObjectID, _ path: String) throws(RuleError) -> CompiledRule.Node {
    guard !openSegments.contains(id) else {
      throw RuleError("\(path).segment_id", .cycle, "segment \(id) refers to itself")
    }
    guard let (rule, zone) = segments(id) else {
      throw RuleError("\(path).segment_id", .unknownSegment, "there is no segment \(id)")
    }
    openSegments.append(id)
    depth += 1
    defer {
      openSegments.removeLast()
      depth -= 1
    }
    return try node(rule, "\(path).segment", ConditionCompiler(clock: RuleClock(now: now, zone: zone)))
  }

  private mutating func count(_ path: String) throws(RuleError) {
    conditions += 1
    guard conditions <= RuleLimits.conditionsWithSegments else {
      throw RuleError(
        path, .tooMany, "with its segments, the rule has more than \(RuleLimits.conditionsWithSegments) conditions")
    }
  }
}

extension Rule {
  /// - Throws: `needsBehaviour` for every condition that a lead's own document cannot answer.
  func requireLeadFieldsOnly(path: String = "rule_ast") throws(RuleError) {
    var problems: [RuleProblem] = []
    collectBehaviours(path, &problems)
    guard problems.isEmpty else { throw RuleError(problems) }
  }

  private func collectBehaviours(_ path: String, _ problems: inout [RuleProblem]) {
    let what: String
    switch self {
    case .condition: return
    case .and(let children), .or(let children):
      for (index, child) in children.enumerated() { child.collectBehaviours("\(path).children[\(index)]", &problems) }
      return
    case .not(let child): return child.collectBehaviours("\(path).children[0]", &problems)
    case .orders: what = "orders"
    case .campaign: what = "campaigns"
    case .segment: what = "segments"
    }
    problems.append(
      RuleProblem(path: path, code: .needsBehaviour, message: "conditions about \(what) need more than the lead itself")
    )
  }
}
