import BSON
import CRMCore
import CivilTime
import Mongo

extension Store {
  /// How old the noted last use of a key may grow before it is noted again.
  public static let lastUseResolution = Duration.seconds(60)

  /// Stores a new key. One that is there under the same id was made by an attempt whose answer, and with it the secret, nobody
  /// has got: it becomes the new secret's.
  ///
  /// - Returns: the key as it is stored.
  /// - Throws: `MongoError` of kind `.duplicateKey` when its prefix is taken: make another. `StoreError.conflict` when it
  ///   has been used or revoked since.
  @discardableResult
  public func createAPIKey(_ key: APIKey) async throws -> APIKey {
    try await mongo.withConnection { connection in
      do {
        try connection.insertOne(Collections.apiKeys, key.bson())
        return key
      } catch let error as MongoError where error.isDuplicateKey && error.keyPattern == ["_id"] {
        let renewed = try connection.findAndModify(
          Collections.apiKeys, ["_id": .objectID(key.id), "revoked_at": nil, "last_used_at": nil],
          update: [
            "$set": ["prefix": .string(key.prefix), "digest": .binary(subtype: BSONBinary.generic, bytes: key.digest)]
          ], returnNew: true)
        guard let renewed else {
          throw StoreError.conflict(
            message: "The key that this request has made is in use or revoked.", currentStatus: nil, runID: nil)
        }
        return try APIKey(bson: renewed)
      }
    }
  }

  /// A key by its id.
  ///
  /// - Throws: `StoreError.notFound`.
  public func apiKey(_ id: ObjectID) async throws -> APIKey {
    try await mongo.withConnection { connection in
      guard let document = try connection.findOne(Collections.apiKeys, ["_id": .objectID(id)]) else {
        throw StoreError.notFound(what: "API key", id: id.hex)
      }
      return try APIKey(bson: document)
    }
  }

  /// A page of keys, revoked and expired ones among them.
  public func apiKeys(order: ListOrder, start: PageStart, limit: Int) async throws -> ListPage<APIKey> {
    try await page(
      ListQuery(collection: Collections.apiKeys, filter: [:], order: order, start: start, limit: limit)
    ) { try APIKey(bson: $0) }
  }

  /// Revokes a key; one that is revoked stays as it is. It is kept, so that the audit log can name it.
  ///
  /// - Throws: `StoreError.notFound`.
  public func revokeAPIKey(_ id: ObjectID) async throws -> APIKey {
    let now = clock.now()
    return try await mongo.withConnection { connection in
      let revoked = try connection.findAndModify(
        Collections.apiKeys, ["_id": .objectID(id)],
        pipeline: [["$set": ["revoked_at": ["$ifNull": ["$revoked_at", .date(milliseconds: now.milliseconds)]]]]],
        returnNew: true)
      guard let revoked else { throw StoreError.notFound(what: "API key", id: id.hex) }
      return try APIKey(bson: revoked)
    }
  }

  /// The active key that is this secret, and notes its use; nil when there is none.
  public func useAPIKey(_ secret: APIKeySecret) async throws -> APIKey? {
    let now = clock.now()
    return try await mongo.withConnection { connection in
      guard let document = try connection.findOne(Collections.apiKeys, ["prefix": .string(secret.prefix)]) else {
        return nil
      }
      let key = try APIKey(bson: document)
      guard key.matches(secret), key.isActive(at: now) else { return nil }
      let stale = now.advanced(by: .zero - Store.lastUseResolution)
      if key.lastUsedAt.map({ $0 <= stale }) ?? true {
        try connection.updateOne(
          Collections.apiKeys, ["_id": .objectID(key.id)],
          ["$max": ["last_used_at": .date(milliseconds: now.milliseconds)]])
      }
      return key
    }
  }

  /// Whether there is a key that can make other keys.
  public func hasKeyThatManagesKeys() async throws -> Bool {
    let now = clock.now()
    return try await mongo.withConnection { connection in
      let roles = Role.allCases.filter { $0.scopes.contains(.keysManage) }.map { BSONValue.string($0.rawValue) }
      return try connection.findOne(
        Collections.apiKeys,
        [
          "role": ["$in": .array(roles)], "revoked_at": nil,
          "$and": [
            ["$or": [["scopes": nil], ["scopes": .string(Scope.keysManage.rawValue)]]],
            ["$or": [["expires_at": nil], ["expires_at": ["$gt": .date(milliseconds: now.milliseconds)]]]],
          ],
        ]) != nil
    }
  }
}
