import BSON
import CivilTime
import Mongo

/// An answer kept under an idempotency key.
public struct StoredResponse: Sendable, Equatable {
  public var status: Int
  /// Names and values, in order.
  public var headers: [(name: String, value: String)]
  public var body: [UInt8]

  public init(status: Int, headers: [(name: String, value: String)], body: [UInt8]) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  public static func == (left: StoredResponse, right: StoredResponse) -> Bool {
    left.status == right.status && left.body == right.body
      && left.headers.elementsEqual(right.headers) { $0.name == $1.name && $0.value == $1.value }
  }
}

/// The right to carry out a request under its idempotency key, for as long as its lease runs.
public struct IdempotencyReservation: Sendable, Equatable {
  public let key: String
  /// Names what the request creates. It outlives a crash between effect and answer: whoever takes the key over gets the
  /// same id, and finds what the first attempt has made.
  public let effectID: ObjectID
  /// An earlier attempt may have had its effect already.
  public let isRetry: Bool
  let owner: ObjectID
}

/// What to do with a request that carries an idempotency key.
public enum IdempotencyDecision: Sendable, Equatable {
  case execute(IdempotencyReservation)
  /// It has been carried out: answer this again.
  case replay(StoredResponse)
  /// The key belongs to another request.
  case mismatch
  /// The same request is being carried out elsewhere.
  case inProgress
}

extension Store {
  /// The largest answer that is kept; a document has 16 MiB.
  public static let storedResponseLimit = 8 << 20

  /// Reserves a key before the effect, or tells what has become of it.
  ///
  /// - Parameters:
  ///   - key: the client's key within its scope.
  ///   - fingerprint: a digest of everything that makes the request what it is.
  ///   - lease: longer than the request can take; afterwards another attempt may take the key over.
  ///   - timeToLive: for how long the key is remembered.
  public func reserveIdempotencyKey(
    _ key: String, fingerprint: [UInt8], lease: Duration, timeToLive: Duration
  ) async throws -> IdempotencyDecision {
    let now = clock.now()
    let owner = ObjectID()
    let effectID = ObjectID()
    var fresh = BSONDocument()
    fresh.append("fingerprint", binary: fingerprint)
    fresh.append("effect_id", effectID)
    fresh.append("owner", owner)
    fresh.appendDate("lease_until", milliseconds: now.advanced(by: lease).milliseconds)
    fresh.appendDate("expires_at", milliseconds: now.advanced(by: timeToLive).milliseconds)
    let reservation = fresh
    return try await mongo.withConnection { connection in
      // The server removes expired keys about once a minute; one that it has not reached yet counts as gone.
      _ = try connection.deleteOne(
        Collections.idempotencyKeys,
        ["_id": .string(key), "expires_at": ["$lte": .date(milliseconds: now.milliseconds)]])
      let before: BSONDocument?
      do {
        before = try connection.findAndModify(
          Collections.idempotencyKeys, ["_id": .string(key)], update: ["$setOnInsert": .document(reservation)],
          returnNew: false, upsert: true)
      } catch let error as MongoError where error.isDuplicateKey {
        // Of two that insert at once, the server refuses one.
        return .inProgress
      }
      guard let before else {
        return .execute(IdempotencyReservation(key: key, effectID: effectID, isRetry: false, owner: owner))
      }
      return try Store.decide(before, key: key, fingerprint: fingerprint, owner: owner, now, lease, connection)
    }
  }

  private static func decide(
    _ known: BSONDocument, key: String, fingerprint: [UInt8], owner: ObjectID, _ now: Timestamp, _ lease: Duration,
    _ connection: MongoConnection
  ) throws -> IdempotencyDecision {
    guard known["fingerprint"]?.binaryValue == fingerprint else { return .mismatch }
    if let response = known["response"]?.documentValue { return .replay(StoredResponse(bson: response)) }
    guard let leaseUntil = known["lease_until"]?.dateMilliseconds, let previous = known["owner"]?.objectIDValue,
      let effect = known["effect_id"]?.objectIDValue, leaseUntil <= now.milliseconds
    else { return .inProgress }
    let taken = try connection.updateOne(
      Collections.idempotencyKeys,
      ["_id": .string(key), "owner": .objectID(previous), "response": ["$exists": false]],
      [
        "$set": [
          "owner": .objectID(owner), "lease_until": .date(milliseconds: now.advanced(by: lease).milliseconds),
        ]
      ])
    guard taken.matched == 1 else { return .inProgress }
    return .execute(IdempotencyReservation(key: key, effectID: effect, isRetry: true, owner: owner))
  }

  /// Keeps the answer of a request that had its effect. An answer beyond `storedResponseLimit` is not kept.
  public func complete(_ reservation: IdempotencyReservation, with response: StoredResponse) async throws {
    guard response.body.count <= Store.storedResponseLimit else { return try await release(reservation) }
    try await mongo.withConnection { connection in
      _ = try connection.updateOne(
        Collections.idempotencyKeys, reservation.filter, ["$set": ["response": .document(response.bson())]])
    }
  }

  /// Lengthens the lease of a request that takes its time.
  public func extend(_ reservation: IdempotencyReservation, by lease: Duration) async throws {
    let until = clock.now().advanced(by: lease)
    try await mongo.withConnection { connection in
      _ = try connection.updateOne(
        Collections.idempotencyKeys, reservation.filter,
        ["$set": ["lease_until": .date(milliseconds: until.milliseconds)]])
    }
  }

  /// Forgets a request that had no effect: its key may be used anew.
  public func release(_ reservation: IdempotencyReservation) async throws {
    try await mongo.withConnection { connection in
      _ = try connection.deleteOne(Collections.idempotencyKeys, reservation.filter)
    }
  }

  /// Ends the lease of a request that may have had its effect: its repetition goes on under the same effect id.
  public func suspend(_ reservation: IdempotencyReservation) async throws {
    let now = clock.now()
    try await mongo.withConnection { connection in
      _ = try connection.updateOne(
        Collections.idempotencyKeys, reservation.filter,
        ["$set": ["lease_until": .date(milliseconds: now.milliseconds)]])
    }
  }
}

extension IdempotencyReservation {
  fileprivate var filter: BSONDocument { ["_id": .string(key), "owner": .objectID(owner)] }
}

extension StoredResponse {
  init(bson: BSONDocument) {
    status = bson["status"]?.intValue ?? 200
    headers = (bson["headers"]?.arrayValue ?? []).compactMap { pair in
      guard let name = pair["name"]?.stringValue, let value = pair["value"]?.stringValue else { return nil }
      return (name, value)
    }
    body = bson["body"]?.binaryValue ?? []
  }

  func bson() -> BSONDocument {
    var document = BSONDocument(capacity: body.count + 256)
    document.append("status", status)
    document.appendArray("headers") { array in
      for (name, value) in headers { array.append(document: ["name": .string(name), "value": .string(value)]) }
    }
    document.append("body", binary: body)
    return document
  }
}
