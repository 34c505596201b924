import Crypto

/// The signature algorithms of RFC 7518 that are understood; nothing else is, `none` least of all.
public enum JWTAlgorithm: String, Sendable, CaseIterable {
  case hs256 = "HS256"
  case rs256 = "RS256"
  case es256 = "ES256"
}

/// A key that tokens are checked with. The key fixes the algorithm (RFC 8725, section 3.1): a token that names another
/// one is not looked at with this key, so that a public key is never taken for a shared secret.
public struct JWTKey: Sendable {
  private enum Material: Sendable {
    case secret([UInt8])
    case publicKey(PublicKey)
  }

  /// The shortest secret, in bytes: as long as the digest (RFC 7518, section 3.2).
  public static let shortestSecret = 32

  public let algorithm: JWTAlgorithm
  private let material: Material

  /// A shared secret for HMAC with SHA-256; nil below 32 bytes.
  public init?(secret: [UInt8]) {
    guard secret.count >= JWTKey.shortestSecret else { return nil }
    algorithm = .hs256
    material = .secret(secret)
  }

  /// RS256 for an RSA key, ES256 for one on P-256.
  public init(_ key: PublicKey) {
    algorithm =
      switch key.kind {
      case .rsa: .rs256
      case .p256: .es256
      }
    material = .publicKey(key)
  }

  func isValid(_ signature: [UInt8], for input: [UInt8]) -> Bool {
    switch material {
    case .secret(let secret): HMACSHA256.isValid(signature, for: input, key: secret)
    case .publicKey(let key): key.isValid(signature, for: input)
    }
  }
}
