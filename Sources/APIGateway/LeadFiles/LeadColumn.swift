import CRMCore

/// What a column of a file of leads is about. The name of a column is that of a field.
enum LeadColumn: Hashable, Sendable {
  case name
  case emails, phones, tags
  case totalSpend, visits
  case lastOrderAt
  case optedOut(Channel)
  /// `metadata.city`, `metadata.age:number`, `metadata.pet.name`
  case metadata(path: [String], MetadataType)
  /// `metadata:json`: what no column of its own can hold, as a JSON object.
  case metadataObject
  /// What the product alone sets: written into files, passed over when they come back.
  case id, createdAt, updatedAt

  /// What the cells of a metadata column are.
  enum MetadataType: String, CaseIterable, Sendable {
    case text, number, boolean
  }

  /// Columns of which there is one each, in the order in which files have them.
  static let fixed: [LeadColumn] =
    [.id, .name, .emails, .phones, .tags, .totalSpend, .visits, .lastOrderAt]
    + Channel.allCases.map { .optedOut($0) } + [.createdAt, .updatedAt]

  /// The names of all columns, for messages to people.
  static let knownNames: String =
    (fixed + [.metadataObject]).map(\.fieldName).joined(separator: ", ")
    + ", metadata.<key>, metadata.<key>:number, metadata.<key>:boolean"

  /// Nil: there is no such field.
  init?(fieldName: String) {
    if let known = (LeadColumn.fixed + [.metadataObject]).first(where: { $0.fieldName == fieldName }) {
      self = known
      return
    }
    let parts = fieldName.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    let keys = parts[0].split(separator: ".", omittingEmptySubsequences: false)
    guard keys.first == "metadata", (2...Metadata.deepestKey + 1).contains(keys.count),
      keys.dropFirst().allSatisfy({ Metadata.isKey($0.utf8) })
    else { return nil }
    guard let type = parts.count == 1 ? .text : MetadataType(rawValue: String(parts[1])),
      parts.count == 1 || type != .text
    else { return nil }
    self = .metadata(path: keys.dropFirst().map(String.init), type)
  }

  var fieldName: String {
    switch self {
    case .name: "name"
    case .emails: "emails"
    case .phones: "phones"
    case .tags: "tags"
    case .totalSpend: "total_spend"
    case .visits: "visits"
    case .lastOrderAt: "last_order_at"
    case .optedOut(let channel): "opted_out.\(channel.rawValue)"
    case .metadata(let path, let type):
      "metadata.\(path.joined(separator: "."))" + (type == .text ? "" : ":\(type.rawValue)")
    case .metadataObject: "metadata:json"
    case .id: "_id"
    case .createdAt: "created_at"
    case .updatedAt: "updated_at"
    }
  }

  /// Cells hold several values, and several columns may be about the same field.
  var isList: Bool {
    switch self {
    case .emails, .phones, .tags: true
    default: false
    }
  }

  /// A file's column of this kind changes nothing.
  var isPassedOver: Bool {
    switch self {
    case .id, .createdAt, .updatedAt: true
    default: false
    }
  }
}
