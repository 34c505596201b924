import BSON
import CRMCore
import CivilTime
import Mongo

/// What the database knows of a token that was made for a key.
public enum TokenStanding: Sendable, Equatable {
  case good
  /// It was logged out.
  case revoked
  /// The key that it was made for is not active any more.
  case keyInactive
}

extension Store {
  /// Remembers a token as logged out for as long as it could be used.
  ///
  /// - Parameter fingerprint: of 32 bytes, see `JWTClaims`.
  public func revokeToken(_ fingerprint: [UInt8], until expiry: Timestamp) async throws {
    try await mongo.withConnection { connection in
      _ = try connection.updateOne(
        Collections.revokedTokens, ["_id": .binary(subtype: 0, bytes: fingerprint)],
        ["$setOnInsert": ["expires_at": .date(milliseconds: expiry.milliseconds)]], upsert: true)
    }
  }

  /// - Parameter keyID: the key that the token was made for; nil for a token of somebody else's.
  public func standing(ofToken fingerprint: [UInt8], keyID: ObjectID?) async throws -> TokenStanding {
    let now = clock.now()
    return try await mongo.withConnection { connection in
      if try connection.findOne(Collections.revokedTokens, ["_id": .binary(subtype: 0, bytes: fingerprint)]) != nil {
        return .revoked
      }
      guard let keyID else { return .good }
      guard let document = try connection.findOne(Collections.apiKeys, ["_id": .objectID(keyID)]) else {
        return .keyInactive
      }
      return try APIKey(bson: document).isActive(at: now) ? .good : .keyInactive
    }
  }
}
