import BSON

/// What to do after a document.
public enum CursorAction: Sendable { case more, stop }

/// The index to use: by name, or by its keys.
public enum IndexHint: Sendable, ExpressibleByStringLiteral, ExpressibleByDictionaryLiteral {
  case name(String)
  case keys(BSONDocument)

  public init(stringLiteral value: String) { self = .name(value) }

  public init(dictionaryLiteral elements: (String, BSONValue)...) {
    self = .keys(BSONDocument(elements.map { (key: $0.0, value: $0.1) }))
  }

  var value: BSONValue {
    switch self {
    case .name(let name): .string(name)
    case .keys(let keys): .document(keys)
    }
  }
}

/// Options of `find`. What is nil is left to the server, except `maxTimeMS` (the configuration's) and `readConcern` (the
/// configuration's, or within a transaction its snapshot, where it must not be set).
public struct FindOptions: Sendable {
  public var projection: BSONDocument?
  public var sort: BSONDocument?
  public var limit: Int?
  public var skip: Int?
  /// Documents per round trip: bounds the memory of one batch.
  public var batchSize: Int?
  public var hint: IndexHint?
  /// The server's time for the whole cursor, waiting for the client not counted.
  public var maxTimeMS: Int?
  public var collation: BSONDocument?
  public var readConcern: ReadConcern?
  /// Shown in the server's logs and profiler.
  public var comment: String?

  public init(
    projection: BSONDocument? = nil, sort: BSONDocument? = nil, limit: Int? = nil, skip: Int? = nil,
    batchSize: Int? = nil, hint: IndexHint? = nil, maxTimeMS: Int? = nil, collation: BSONDocument? = nil,
    readConcern: ReadConcern? = nil, comment: String? = nil
  ) {
    self.projection = projection
    self.sort = sort
    self.limit = limit
    self.skip = skip
    self.batchSize = batchSize
    self.hint = hint
    self.maxTimeMS = maxTimeMS
    self.collation = collation
    self.readConcern = readConcern
    self.comment = comment
  }
}

/// Options of `aggregate`; see `FindOptions`.
public struct AggregateOptions: Sendable {
  public var batchSize: Int?
  public var allowDiskUse: Bool?
  public var hint: IndexHint?
  public var maxTimeMS: Int?
  public var collation: BSONDocument?
  public var readConcern: ReadConcern?
  public var comment: String?
  /// Variables for `$$name` in the pipeline.
  public var variables: BSONDocument?

  public init(
    batchSize: Int? = nil, allowDiskUse: Bool? = nil, hint: IndexHint? = nil, maxTimeMS: Int? = nil,
    collation: BSONDocument? = nil, readConcern: ReadConcern? = nil, comment: String? = nil,
    variables: BSONDocument? = nil
  ) {
    self.batchSize = batchSize
    self.allowDiskUse = allowDiskUse
    self.hint = hint
    self.maxTimeMS = maxTimeMS
    self.collation = collation
    self.readConcern = readConcern
    self.comment = comment
    self.variables = variables
  }
}

extension BSONDocument {
  mutating func append(_ key: String, ifPresent value: Int?) {
    if let value { append(key, value) }
  }

  mutating func append(_ key: String, ifPresent value: Bool?) {
    if let value { append(key, value) }
  }

  mutating func append(_ key: String, ifPresent value: String?) {
    if let value { append(key, value) }
  }

  mutating func append(_ key: String, ifPresent value: BSONDocument?) {
    if let value { append(key, document: value) }
  }

  mutating func append(_ key: String, ifPresent value: [BSONDocument]?) {
    guard let value else { return }
    appendArray(key) { array in
      for document in value { array.append(document: document) }
    }
  }

  mutating func append(readConcern: ReadConcern?) {
    if let readConcern { append("readConcern", document: ["level": .string(readConcern.rawValue)]) }
  }

  mutating func append(hint: IndexHint?) {
    if let hint { append("hint", hint.value) }
  }
}
