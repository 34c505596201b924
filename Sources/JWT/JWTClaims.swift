import CivilTime
import Crypto
import JSON

/// What a token says, once it has been found good.
public struct JWTClaims: Sendable, Equatable {
  public var issuer: String
  public var subject: String
  public var expiresAt: Timestamp
  /// Every member of the payload, those above among them.
  public var members: JSONValue
  /// SHA-256 of what was signed: names the token for revocation. The signature is no part of it, since a valid ECDSA
  /// signature can be turned into another valid one.
  public var fingerprint: [UInt8]
}

/// Signs tokens with a shared secret (HS256).
public struct JWTSigner: Sendable {
  private let secret: [UInt8]
  /// The header's `typ`.
  private let type: String

  /// Nil for a secret below 32 bytes.
  public init?(secret: [UInt8], type: String) {
    guard secret.count >= JWTKey.shortestSecret else { return nil }
    self.secret = secret
    self.type = type
  }

  /// The compact form of a token with these members.
  public func sign(_ claims: JSONObject) -> String {
    let header: JSONValue = ["alg": .string(JWTAlgorithm.hs256.rawValue), "typ": .string(type)]
    let input = Base64URL.encode(header.encoded()) + "." + Base64URL.encode(JSONValue.object(claims).encoded())
    return input + "." + Base64URL.encode(HMACSHA256.authenticate(Array(input.utf8), key: secret))
  }
}
