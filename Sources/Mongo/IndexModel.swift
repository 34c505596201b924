import BSON

/// An index as data.
public struct IndexModel: Sendable, Equatable {
  /// Fields and directions, `["email": 1]`.
  public var keys: BSONDocument
  public var name: String
  public var unique: Bool
  public var sparse: Bool
  public var partialFilter: BSONDocument?
  /// Documents expire this long after the date in the index's one field.
  public var expireAfterSeconds: Int?
  public var collation: BSONDocument?

  /// - Parameter name: by default MongoDB's own: keys and directions joined by underscores.
  public init(
    keys: BSONDocument, name: String? = nil, unique: Bool = false, sparse: Bool = false,
    partialFilter: BSONDocument? = nil, expireAfterSeconds: Int? = nil, collation: BSONDocument? = nil
  ) {
    self.keys = keys
    self.name = name ?? Self.defaultName(keys)
    self.unique = unique
    self.sparse = sparse
    self.partialFilter = partialFilter
    self.expireAfterSeconds = expireAfterSeconds
    self.collation = collation
  }

  private static func defaultName(_ keys: BSONDocument) -> String {
    keys.map { key, value in "\(key)_\(value.int64Value.map(String.init) ?? value.stringValue ?? "1")" }
      .joined(separator: "_")
  }

  var specification: BSONDocument {
    var specification: BSONDocument = ["key": .document(keys), "name": .string(name)]
    if unique { specification.append("unique", true) }
    if sparse { specification.append("sparse", true) }
    specification.append("partialFilterExpression", ifPresent: partialFilter)
    specification.append("expireAfterSeconds", ifPresent: expireAfterSeconds)
    specification.append("collation", ifPresent: collation)
    return specification
  }
}
