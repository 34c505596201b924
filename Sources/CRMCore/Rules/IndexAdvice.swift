import BSON

/// Keys of an index over leads from which the database could answer a rule, or a part of it that decides how many leads
/// have to be looked at.
///
/// Fields compared for equality come first and one range last, so that the keys in question lie side by side. Complements,
/// `CONTAINS` and `ENDS_WITH` are never served by an index.
struct IndexAdvice: Sendable {
  private enum Use {
    case equality, range
  }

  private struct Term {
    let field: RuleField
    let use: Use
  }

  /// More keys make an index dear and seldom choose better.
  private static let mostKeys = 3

  /// An index for each alternative of the rule: all of them are needed, for one alternative without an index has the
  /// database read every lead. Empty when no index can help.
  static func indexes(for node: CompiledRule.Node) -> [BSONDocument] {
    switch node {
    case .condition(_, let predicate): return term(predicate).map { [keys([$0])] } ?? []
    case .all(let nodes): return conjunction(nodes)
    case .any(let nodes):
      let alternatives = nodes.map(indexes)
      guard alternatives.allSatisfy({ !$0.isEmpty }) else { return [] }
      return alternatives.flatMap { $0 }.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    case .segment(_, let node): return indexes(for: node)
    case .not, .behaviour: return []
    }
  }

  private static func conjunction(_ nodes: [CompiledRule.Node]) -> [BSONDocument] {
    let terms = nodes.compactMap { node -> Term? in
      if case .condition(_, let predicate) = node { term(predicate) } else { nil }
    }
    let index = keys(terms)
    if !index.isEmpty { return [index] }
    return nodes.lazy.map(indexes).first { !$0.isEmpty } ?? []
  }

  private static func keys(_ terms: [Term]) -> BSONDocument {
    let equalities = terms.filter { $0.use == .equality }.prefix(mostKeys)
    let range = equalities.count < mostKeys ? terms.first { $0.use == .range } : nil
    var keys = BSONDocument()
    var hasList = false
    for term in Array(equalities) + (range.map { [$0] } ?? []) {
      let path = term.field.path.joined(separator: ".")
      // The server refuses an index over two fields that are both lists.
      guard keys[path] == nil, !(hasList && term.field.mayHoldList) else { continue }
      hasList = hasList || term.field.mayHoldList
      keys.append(path, 1)
    }
    return keys
  }

  private static func term(_ predicate: Predicate) -> Term? {
    switch predicate {
    case .test(let test):
      switch test.test {
      case .equals, .oneOf, .hasAll: return Term(field: test.field, use: .equality)
      case .within, .startsWith: return Term(field: test.field, use: .range)
      case .exists, .notEmpty, .contains, .endsWith: return nil
      }
    case .any(let predicates):
      // The dates of an `IN`: stretches of one field.
      let terms = predicates.map(term)
      guard let first = terms.first ?? nil, terms.allSatisfy({ $0?.field == first.field }) else { return nil }
      return Term(field: first.field, use: .range)
    case .not: return nil
    }
  }
}

extension CompiledRule {
  /// Keys of the indexes over leads that the rule needs all of in order not to look at every lead; empty when no index
  /// can help.
  public var advisedIndexes: [BSONDocument] { IndexAdvice.indexes(for: root) }
}

extension RuleField {
  fileprivate var mayHoldList: Bool {
    switch kind {
    case .email, .phone, .tag, .metadata: true
    case .text, .number, .date: false
    }
  }
}
