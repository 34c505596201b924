import BSON

extension MongoConnection {
  private enum Code {
    static let namespaceExists = 48
    static let namespaceNotFound = 26
    static let indexNotFound = 27
  }

  /// Creates the indexes that do not exist yet, and the collection with them.
  ///
  /// - Throws: `.invalidInput` when an index of the same name or keys exists with other options.
  public func createIndexes(_ collection: String, _ indexes: [IndexModel]) throws(MongoError) {
    guard !indexes.isEmpty else { return }
    try Self.checkName(collection, "collection")
    var command: BSONDocument = ["createIndexes": .string(collection)]
    command.append("indexes", ifPresent: indexes.map(\.specification))
    try writeCommand(command)
  }

  /// The names of a collection's indexes; empty when there is no such collection.
  public func indexNames(_ collection: String) throws(MongoError) -> [String] {
    try indexes(collection).compactMap { $0["name"]?.stringValue }
  }

  /// The keys of a collection's indexes, such as `{"_id": 1}`; empty when there is no such collection.
  public func indexKeys(_ collection: String) throws(MongoError) -> [BSONDocument] {
    try indexes(collection).compactMap { $0["key"]?.documentValue }
  }

  private func indexes(_ collection: String) throws(MongoError) -> [BSONValue] {
    do {
      try Self.checkName(collection, "collection")
      let reply = try command([
        "listIndexes": .string(collection), "cursor": ["batchSize": 1000],
        "maxTimeMS": .int64(Int64(configuration.maxTimeMS)),
      ])
      return reply[path: "cursor.firstBatch"]?.arrayValue ?? []
    } catch  where error.code == Code.namespaceNotFound {
      return []
    }
  }

  /// Drops an index by name; one that does not exist is an error of the server.
  public func dropIndex(_ collection: String, _ name: String) throws(MongoError) {
    try Self.checkName(collection, "collection")
    try writeCommand(["dropIndexes": .string(collection), "index": .string(name)])
  }

  /// Drops those of the named indexes that exist.
  public func dropIndexes(_ names: [String], of collection: String) throws(MongoError) {
    guard !names.isEmpty else { return }
    for name in try indexNames(collection) where names.contains(name) {
      do {
        try dropIndex(collection, name)
      } catch  where error.code == Code.indexNotFound {
        // Another process was faster.
      }
    }
  }

  /// Drops a collection, if it exists.
  public func dropCollection(_ name: String) throws(MongoError) {
    do {
      try Self.checkName(name, "collection")
      try writeCommand(["drop": .string(name)])
    } catch  where error.code == Code.namespaceNotFound {
      return
    }
  }

  /// Makes sure that a collection exists and that its validator is this one.
  ///
  /// - Parameter validator: a query, usually `["$jsonSchema": …]`, that documents must match from now on; nil leaves what is
  ///   there.
  public func ensureCollection(_ name: String, validator: BSONDocument?) throws(MongoError) {
    try Self.checkName(name, "collection")
    guard let existing = try collectionOptions(name) else {
      var create: BSONDocument = ["create": .string(name)]
      create.append("validator", ifPresent: validator)
      do {
        try writeCommand(create)
      } catch  where error.code == Code.namespaceExists {
        // Another process was faster, perhaps with another version's validator.
        return try ensureCollection(name, validator: validator)
      }
      return
    }
    guard let validator, existing["validator"]?.documentValue != validator else { return }
    try writeCommand([
      "collMod": .string(name), "validator": .document(validator), "validationLevel": "strict",
      "validationAction": "error",
    ])
  }

  /// The options a collection was made with; nil when it does not exist.
  private func collectionOptions(_ name: String) throws(MongoError) -> BSONDocument? {
    let reply = try command([
      "listCollections": 1, "filter": ["name": .string(name)], "maxTimeMS": .int64(Int64(configuration.maxTimeMS)),
    ])
    guard let found = reply[path: "cursor.firstBatch.0"] else { return nil }
    return found["options"]?.documentValue ?? BSONDocument()
  }
}
