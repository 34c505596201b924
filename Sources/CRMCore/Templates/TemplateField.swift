/// A field of a lead that a template can name.
public enum TemplateField: Hashable, Sendable {
  case name
  /// The first address.
  case email
  case emails
  /// The first number.
  case phone
  case phones
  case tags
  case totalSpend
  case visits
  case lastOrderAt
  case createdAt
  case updatedAt
  /// The keys below `metadata`.
  case metadata([String])

  /// Every field but metadata, under the name that templates use.
  static let named: [(name: String, field: TemplateField)] = [
    ("name", .name), ("email", .email), ("emails", .emails), ("phone", .phone), ("phones", .phones), ("tags", .tags),
    ("total_spend", .totalSpend), ("visits", .visits), ("last_order_at", .lastOrderAt), ("created_at", .createdAt),
    ("updated_at", .updatedAt),
  ]

  /// The path as templates write it: `metadata.city`.
  public var path: String {
    if case .metadata(let keys) = self { return "metadata." + keys.joined(separator: ".") }
    return Self.named.first { $0.field == self }?.name ?? ""
  }

  /// The field of a path, or nil.
  public init?(path: some StringProtocol) {
    if let known = Self.named.first(where: { $0.name == path }) {
      self = known.field
      return
    }
    let parts = path.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count >= 2, parts[0] == "metadata", parts.count <= Metadata.deepestKey + 1,
      parts[1...].allSatisfy({ Metadata.isKey(Substring($0).utf8) })
    else { return nil }
    self = .metadata(parts[1...].map { String($0) })
  }

  /// The type of its values, as far as it is known before there is a lead.
  var kind: TemplateKind {
    switch self {
    case .name, .email, .emails, .phone, .phones, .tags: .text
    case .totalSpend, .visits: .number
    case .lastOrderAt, .createdAt, .updatedAt: .date
    case .metadata: .any
    }
  }
}

/// What a filter is given.
enum TemplateKind {
  case text
  case number
  case date
  case any
}
