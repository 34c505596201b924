import BSON

extension CompiledRule {
  /// The filter of a rule that asks for nothing beside the lead's own document.
  ///
  /// - Throws: `needsBehaviour` for every condition that does; `tooLarge` when the server would not take the filter.
  public func filter() throws(RuleError) -> BSONDocument {
    guard behaviours.isEmpty else { throw needsBehaviour }
    return try bounded(root.filter { _ in [:] })
  }

  /// The filter with every behaviour condition replaced by a filter over leads that says the same, such as
  /// `BehaviourQuery.filter(found:)`.
  ///
  /// - Throws: what `resolve` throws; `RuleError` `tooLarge` when the server would not take the filter.
  public func filter(resolving resolve: (BehaviourQuery) throws -> BSONDocument) throws -> BSONDocument {
    let resolved = try behaviours.map(resolve)
    return try bounded(root.filter { resolved[$0] })
  }

  /// The filter for people: what a behaviour condition finds stands in it as a text that names the question, since the
  /// ids may be a million. Questions are numbered as in `behaviours`.
  public func filterForReading() throws(RuleError) -> BSONDocument {
    try bounded(
      root.filter { index in
        let ids: BSONDocument = ["_id": ["$in": .string("the leads that questions[\(index)] finds")]]
        return behaviours[index].holdsWithoutDocuments ? Filters.not(ids) : ids
      })
  }

  var needsBehaviour: RuleError {
    RuleError(
      behaviours.map {
        RuleProblem(
          path: $0.path, code: .needsBehaviour,
          message: "conditions about \($0.collection) need more than the lead itself")
      })
  }

  private func bounded(_ filter: BSONDocument) throws(RuleError) -> BSONDocument {
    guard filter.bytes.count <= RuleLimits.filterBytes else {
      throw RuleError(
        "rule_ast", .tooLarge,
        "the rule is too large for the database: shorten its lists (\(filter.bytes.count) of \(RuleLimits.filterBytes) bytes)"
      )
    }
    return filter
  }
}

extension CompiledRule.Node {
  func filter(_ behaviour: (Int) -> BSONDocument) -> BSONDocument {
    switch self {
    case .all(let nodes): Filters.all(nodes.map { $0.filter(behaviour) })
    case .any(let nodes): Filters.any(nodes.map { $0.filter(behaviour) })
    case .not(let node): Filters.not(node.filter(behaviour))
    case .condition(_, let predicate): predicate.filter
    case .behaviour(_, let index): behaviour(index)
    case .segment(_, let node): node.filter(behaviour)
    }
  }
}
