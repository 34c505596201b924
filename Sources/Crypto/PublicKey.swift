import CCrypto

/// Why a text is no public key that signatures can be checked with.
public struct PublicKeyError: Error, Equatable, CustomStringConvertible {
  public let description: String
}

/// A public key for signatures with SHA-256: RSA of at least 2048 bits (PKCS #1 v1.5), or ECDSA on the curve P-256.
///
/// `@unchecked Sendable`: OpenSSL's key is read, counted and parsed here alone; afterwards it is only ever verified with,
/// which OpenSSL allows from many threads at once.
public final class PublicKey: @unchecked Sendable {
  public enum Kind: Sendable, Equatable {
    case rsa(bits: Int)
    case p256
  }

  public let kind: Kind
  private let key: OpaquePointer

  /// Bytes of an ECDSA signature on P-256 in the form of RFC 7518: r and s, 32 bytes each.
  private static let p256SignatureBytes = 64

  /// Reads a `SubjectPublicKeyInfo` in PEM (`-----BEGIN PUBLIC KEY-----`).
  ///
  /// - Throws: `PublicKeyError` for other texts, other kinds of keys, and RSA keys below 2048 bits.
  public init(pem: String) throws(PublicKeyError) {
    var text = Array(pem.utf8)
    guard text.count <= 16_384, let bio = BIO_new_mem_buf(&text, Int32(text.count)) else {
      throw PublicKeyError(description: "is too long for a public key")
    }
    defer { BIO_free(bio) }
    guard let key = PEM_read_bio_PUBKEY(bio, nil, nil, nil) else {
      ERR_clear_error()
      throw PublicKeyError(description: "is not a public key in PEM (-----BEGIN PUBLIC KEY-----)")
    }
    do throws(PublicKeyError) {
      kind = try PublicKey.kind(of: key)
    } catch {
      EVP_PKEY_free(key)
      throw error
    }
    self.key = key
  }

  deinit { EVP_PKEY_free(key) }

  private static func kind(of key: OpaquePointer) throws(PublicKeyError) -> Kind {
    switch EVP_PKEY_get_base_id(key) {
    case EVP_PKEY_RSA:
      let bits = Int(EVP_PKEY_get_bits(key))
      guard bits >= 2048 else { throw PublicKeyError(description: "is an RSA key of \(bits) bits; at least 2048") }
      return .rsa(bits: bits)
    case EVP_PKEY_EC:
      var name = [CChar](repeating: 0, count: 64)
      guard EVP_PKEY_get_group_name(key, &name, name.count, nil) == 1,
        String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) == "prime256v1"
      else { throw PublicKeyError(description: "is a key on another curve than P-256") }
      return .p256
    default: throw PublicKeyError(description: "is neither an RSA nor an elliptic-curve key")
    }
  }

  /// Whether the signature is this key's of the message.
  ///
  /// - Parameter signature: of RSA as it is; of ECDSA r and s, 32 bytes each.
  public func isValid(_ signature: [UInt8], for message: [UInt8]) -> Bool {
    let encoded: [UInt8]
    switch kind {
    case .rsa(let bits):
      guard signature.count == (bits + 7) / 8 else { return false }
      encoded = signature
    case .p256:
      guard let der = PublicKey.der(signature) else { return false }
      encoded = der
    }
    guard let context = EVP_MD_CTX_new() else { return false }
    defer { EVP_MD_CTX_free(context) }
    let isValid =
      EVP_DigestVerifyInit(context, nil, EVP_sha256(), nil, key) == 1
      && EVP_DigestVerify(context, encoded, encoded.count, message, message.count) == 1
    // A bad signature leaves its reasons in the thread's error queue.
    if !isValid { ERR_clear_error() }
    return isValid
  }

  /// An ECDSA signature as OpenSSL reads it.
  private static func der(_ signature: [UInt8]) -> [UInt8]? {
    guard signature.count == p256SignatureBytes, let pair = ECDSA_SIG_new() else { return nil }
    defer { ECDSA_SIG_free(pair) }
    let half = Int32(p256SignatureBytes / 2)
    guard let r = BN_bin2bn(Array(signature[..<32]), half, nil) else { return nil }
    guard let s = BN_bin2bn(Array(signature[32...]), half, nil) else {
      BN_free(r)
      return nil
    }
    guard ECDSA_SIG_set0(pair, r, s) == 1 else {
      BN_free(r)
      BN_free(s)
      return nil
    }
    var bytes: UnsafeMutablePointer<UInt8>?
    let length = i2d_ECDSA_SIG(pair, &bytes)
    guard length > 0, let bytes else { return nil }
    defer { CRYPTO_free(bytes, #file, #line) }
    return Array(UnsafeBufferPointer(start: bytes, count: Int(length)))
  }
}
