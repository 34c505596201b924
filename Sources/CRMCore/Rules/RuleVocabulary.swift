/// The words of the rule language as data: what descriptions of it are made from, so that they cannot say otherwise.
public enum RuleVocabulary {
  /// Fields of one kind, and the operators that they take.
  public struct Group: Sendable {
    public let kind: RuleField.Kind
    /// In alphabetical order; empty for `metadata`, whose names are free.
    public let fields: [String]
    public let operators: [RuleOperator]
  }

  /// What rules may say about a lead.
  public static let lead =
    groups(RuleField.leadFields) + [
      Group(kind: .metadata, fields: [], operators: RuleOperator.allowed(on: RuleField.Kind.metadata))
    ]

  /// What the `where` of a condition over orders may say about an order.
  public static let order = groups(RuleField.orderFields)

  /// What a lead's orders amount to, compared by the kind of the measure.
  public static let measures: [Group] = [RuleField.Kind.number, .date].map { kind in
    let measures = OrdersCondition.Measure.allCases.filter { $0.kind == kind }
    return Group(
      kind: kind, fields: measures.map(\.rawValue),
      operators: measures.first.map { RuleOperator.allowed(on: $0) } ?? [])
  }

  private static func groups(_ fields: [String: RuleField]) -> [Group] {
    Dictionary(grouping: fields.values, by: \.kind).map { kind, fields in
      Group(kind: kind, fields: fields.map(\.name).sorted(), operators: RuleOperator.allowed(on: kind))
    }.sorted { $0.fields.lexicographicallyPrecedes($1.fields) }
  }
}
