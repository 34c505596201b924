import BSON

/// What a bulk write did, and which of its items failed.
public struct BulkResult: Sendable {
  public var inserted = 0
  public var matched = 0
  public var modified = 0
  public var deleted = 0
  /// Items, by index, that inserted a document, and its `_id`.
  public var upserted: [(index: Int, id: BSONValue)] = []
  /// Items that failed, by rising index. In an ordered bulk, those after the first were not tried.
  public var errors: [BulkItemError] = []

  public init() {}

  /// Turns failed items into an error, for callers that expect none.
  ///
  /// - Throws: `.bulk`, with this result.
  public func throwIfFailed() throws(MongoError) {
    guard let first = errors.first else { return }
    throw MongoError(
      kind: .bulk, code: first.code, message: "\(errors.count) items failed, the first: \(first.message)",
      keyPattern: first.keyPattern, keyValue: first.keyValue, bulkResult: self)
  }
}

/// Why one item of a bulk write failed.
public struct BulkItemError: Sendable, Equatable {
  /// The item's place in the list that was given.
  public var index: Int
  /// The server's code.
  public var code: Int
  public var message: String
  /// The fields of the unique index that refused the item.
  public var keyPattern: [String]
  /// The key that was already there. It is a success only when the id was made from the same content.
  public var keyValue: BSONDocument?
  /// What the server adds to some errors: which rule of a validator failed.
  public var details: BSONDocument?

  public init(
    index: Int, code: Int, message: String, keyPattern: [String] = [], keyValue: BSONDocument? = nil,
    details: BSONDocument? = nil
  ) {
    self.index = index
    self.code = code
    self.message = message
    self.keyPattern = keyPattern
    self.keyValue = keyValue
    self.details = details
  }

  public var isDuplicateKey: Bool { kind == .duplicateKey }
  public var kind: MongoError.Kind { MongoError.kind(serverCode: code) }

  /// The item's error as one to throw.
  public var asMongoError: MongoError {
    MongoError(kind: kind, code: code, message: message, keyPattern: keyPattern, keyValue: keyValue)
  }
}

extension BulkResult {
  /// From libmongoc's summary of a bulk operation.
  init(reply: BSONDocument, redactor: CredentialRedactor) {
    for (key, value) in reply {
      switch key {
      case "nInserted": inserted = value.intValue ?? 0
      case "nMatched": matched = value.intValue ?? 0
      case "nModified": modified = value.intValue ?? 0
      case "nRemoved": deleted = value.intValue ?? 0
      case "upserted":
        upserted = (value.arrayValue ?? []).compactMap { item in
          guard let index = item["index"]?.intValue, let id = item["_id"] else { return nil }
          return (index, id)
        }
      case "writeErrors":
        errors = (value.arrayValue ?? []).compactMap(\.documentValue).map { BulkItemError($0, redactor: redactor) }
        errors.sort { $0.index < $1.index }
      default: break
      }
    }
  }
}

extension BulkItemError {
  init(_ error: BSONDocument, redactor: CredentialRedactor) {
    self.init(
      index: error["index"]?.intValue ?? 0, code: error["code"]?.intValue ?? 0,
      message: redactor.redact(error["errmsg"]?.stringValue ?? ""),
      keyPattern: error["keyPattern"]?.documentValue?.keys ?? [], keyValue: error["keyValue"]?.documentValue,
      details: error["errInfo"]?.documentValue)
  }
}
