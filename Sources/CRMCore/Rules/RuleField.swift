/// A field that rules may name, from a list: what is not on it cannot reach a filter.
public struct RuleField: Hashable, Sendable {
  /// What a field holds, which decides its operators and its values.
  public enum Kind: Sendable {
    case text
    /// Lower-cased when stored, and so in rules.
    case email
    /// Trimmed, as are tags.
    case phone, tag
    case number, date
    /// Whatever was stored: strings, numbers, booleans, arrays of these.
    case metadata
  }

  /// Whose fields a rule may name.
  enum Scope: Sendable {
    case lead, order
  }

  /// As written in rules: `total_spend`, `metadata.address.city`.
  public let name: String
  public let kind: Kind
  /// The keys from the document's root.
  let path: [String]
  /// The number of the first of these keys.
  let slot: Int
  /// An array of objects at the root of the path; a condition holds when one of the objects fulfils it.
  let isWithinArray: Bool
  /// Whether an array can stand where the path wants an object. The schema keeps them out of what the product writes.
  let mayPassArrays: Bool

  private init(
    _ name: String, _ kind: Kind, in layout: DocumentLayout = .lead, storedAs stored: String? = nil,
    isWithinArray: Bool = false, mayPassArrays: Bool = true
  ) {
    self.name = name
    self.kind = kind
    self.isWithinArray = isWithinArray
    self.mayPassArrays = mayPassArrays
    path = (stored ?? name).split(separator: ".").map(String.init)
    slot = layout.slot(of: path[0])
  }

  /// Arrays may stand here, and a range must hold for one element at both ends. The schema keeps them out of numbers and
  /// dates, whose ranges stay one step of an index.
  var mayBeArray: Bool { kind == .metadata }

  /// The field of this name, or nil when rules cannot name it.
  init?(_ name: String, scope: Scope) {
    let fixed = scope == .lead ? Self.leadFields : Self.orderFields
    if let field = fixed[name] {
      self = field
      return
    }
    guard scope == .lead, Self.isMetadataPath(name) else { return nil }
    self.init(name, .metadata)
  }

  /// `metadata.` and one to five keys that MongoDB cannot take for an array's index.
  private static func isMetadataPath(_ name: String) -> Bool {
    guard name.utf8.starts(with: "metadata.".utf8) else { return false }
    let keys = name.utf8.dropFirst("metadata.".utf8.count)
      .split(separator: UInt8(ascii: "."), maxSplits: Metadata.deepestKey, omittingEmptySubsequences: false)
    return keys.count <= Metadata.deepestKey && keys.allSatisfy { Metadata.isKey($0) }
  }

  static let orderedAt = RuleField("ordered_at", .date, in: .order)

  /// What a lead's orders amount to, in a document of its own.
  static func measure(_ measure: OrdersCondition.Measure) -> RuleField {
    RuleField("value", measure.kind, in: .measure)
  }

  /// What all of a lead's orders amount to, in the lead's own document.
  static func total(_ measure: OrdersCondition.Measure) -> RuleField {
    RuleField("orders.\(measure)", measure.kind, storedAs: "order_totals.\(measure)", mayPassArrays: false)
  }

  /// When a lead's last order was made, or the one `place - 1` before it: 1 to `Order.datesOnLead`.
  static func lastOrder(_ place: Int) -> RuleField {
    let key = Order.dateKeys[place - 1]
    return RuleField("orders.\(key)", .date, storedAs: "order_totals.\(key)", mayPassArrays: false)
  }

  private static func named(_ fields: [RuleField]) -> [String: RuleField] {
    Dictionary(uniqueKeysWithValues: fields.map { ($0.name, $0) })
  }

  static let leadFields = named(
    [
      RuleField("name", .text), RuleField("emails", .email), RuleField("phones", .phone), RuleField("tags", .tag),
      RuleField("total_spend", .number), RuleField("visits", .number), RuleField("last_order_at", .date),
      RuleField("created_at", .date), RuleField("updated_at", .date),
    ] + Channel.allCases.map { RuleField("opted_out.\($0.rawValue)", .date) })

  static let orderFields = named([
    RuleField("order_no", .text, in: .order), RuleField("currency", .text, in: .order), orderedAt,
    // In the base currency.
    RuleField("total", .number, in: .order, storedAs: "amount"),
    RuleField("items.sku", .text, in: .order, isWithinArray: true),
    RuleField("items.quantity", .number, in: .order, isWithinArray: true),
    RuleField("items.price", .number, in: .order, isWithinArray: true),
  ])

  /// What may be named, for error messages.
  static func choices(_ scope: Scope) -> String {
    switch scope {
    case .lead:
      "name, emails, phones, tags, total_spend, visits, last_order_at, created_at, updated_at, "
        + Channel.allCases.map { "opted_out.\($0.rawValue)" }.joined(separator: ", ") + ", metadata.<key>"
    case .order: "order_no, total, currency, ordered_at, items.sku, items.quantity, items.price"
    }
  }
}
