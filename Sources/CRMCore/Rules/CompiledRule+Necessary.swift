import BSON

/// What a rule demands of the lead's own document, whatever the answers about orders and messages are.
extension CompiledRule {
  /// A filter that every lead the rule finds passes; nil when that may be any lead.
  ///
  /// Without behaviour conditions it is the rule's own filter.
  public var necessaryFilter: BSONDocument? { root.approximation(.above, behaviours) }

  /// The behaviour conditions, by their index in `behaviours`, when nothing but they and lead conditions that
  /// `necessaryFilter` holds whole has to be fulfilled; nil when the rule combines them in any other way.
  public var requiredBehaviours: [(index: Int, isNegated: Bool)]? { root.required(isNegated: false) }
}

extension CompiledRule.Node {
  fileprivate enum Side {
    /// A filter that finds all of the node's leads, and perhaps others.
    case above
    /// A filter that finds some of the node's leads, and no others.
    case below

    var opposite: Side { self == .above ? .below : .above }
  }

  /// Nil: every lead above, no lead below.
  fileprivate func approximation(_ side: Side, _ behaviours: [BehaviourQuery]) -> BSONDocument? {
    func group(
      _ nodes: [CompiledRule.Node], mayDrop: Bool, _ combine: ([BSONDocument]) -> BSONDocument
    ) -> BSONDocument? {
      let filters = nodes.compactMap { $0.approximation(side, behaviours) }
      guard !filters.isEmpty, mayDrop || filters.count == nodes.count else { return nil }
      return combine(filters)
    }
    switch self {
    case .condition(_, let predicate): return predicate.filter
    case .behaviour(_, let index): return behaviours[index].approximation(side)
    case .not(let node): return node.approximation(side.opposite, behaviours).map(Filters.not)
    case .segment(_, let node): return node.approximation(side, behaviours)
    case .all(let nodes): return group(nodes, mayDrop: side == .above, Filters.all)
    case .any(let nodes): return group(nodes, mayDrop: side == .below, Filters.any)
    }
  }

  private var hasBehaviour: Bool {
    switch self {
    case .condition: false
    case .behaviour: true
    case .not(let node), .segment(_, let node): node.hasBehaviour
    case .all(let nodes), .any(let nodes): nodes.contains(where: \.hasBehaviour)
    }
  }

  fileprivate func required(isNegated: Bool) -> [(index: Int, isNegated: Bool)]? {
    guard hasBehaviour else { return [] }
    switch self {
    case .condition: return []
    case .behaviour(_, let index): return [(index, isNegated)]
    case .segment(_, let node): return node.required(isNegated: isNegated)
    case .not(let node): return node.required(isNegated: !isNegated)
    // NOT (a OR b) demands NOT a and NOT b.
    case .all(let nodes) where !isNegated || nodes.count == 1, .any(let nodes) where isNegated || nodes.count == 1:
      var all: [(index: Int, isNegated: Bool)] = []
      for node in nodes {
        guard let required = node.required(isNegated: isNegated) else { return nil }
        all += required
      }
      return all
    case .all, .any: return nil
    }
  }
}

extension BehaviourQuery {
  /// Whom the question cannot find is known without asking.
  fileprivate func approximation(_ side: CompiledRule.Node.Side) -> BSONDocument? {
    switch side {
    case .above: holdsWithoutDocuments ? nil : narrowing
    case .below: holdsWithoutDocuments ? narrowing.map(Filters.not) : nil
    }
  }
}
