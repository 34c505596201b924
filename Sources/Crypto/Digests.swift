import CCrypto

/// SHA-1 (FIPS 180-4), here for name-based UUIDs only: it is no protection against forgery.
public enum SHA1 {
  /// The 20 bytes of the digest.
  public static func digest(_ bytes: [UInt8]) -> [UInt8] {
    var result = [UInt8](repeating: 0, count: Int(SHA_DIGEST_LENGTH))
    // Cannot fail: OpenSSL's one-shot digests do no allocation that could.
    _ = CCrypto.SHA1(bytes, bytes.count, &result)
    return result
  }
}

/// SHA-256 (FIPS 180-4).
public enum SHA256 {
  /// The 32 bytes of the digest.
  public static func digest(_ bytes: [UInt8]) -> [UInt8] {
    var result = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
    _ = CCrypto.SHA256(bytes, bytes.count, &result)
    return result
  }
}

/// HMAC with SHA-256 (RFC 2104).
public enum HMACSHA256 {
  /// The 32 bytes of the authentication code.
  public static func authenticate(_ message: [UInt8], key: [UInt8]) -> [UInt8] {
    var result = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
    var length: UInt32 = 0
    _ = HMAC(EVP_sha256(), key, Int32(clamping: key.count), message, message.count, &result, &length)
    return result
  }

  /// Whether `code` authenticates `message`, in a time that does not depend on where they differ.
  public static func isValid(_ code: [UInt8], for message: [UInt8], key: [UInt8]) -> Bool {
    constantTimeEqual(code, authenticate(message, key: key))
  }
}

/// Compares secrets in a time that depends on their lengths only.
public func constantTimeEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
  left.count == right.count && CRYPTO_memcmp(left, right, left.count) == 0
}

/// Bytes of a cryptographically secure generator.
public func randomBytes(_ count: Int) -> [UInt8] {
  var bytes = [UInt8](repeating: 0, count: count)
  if RAND_bytes(&bytes, Int32(clamping: count)) == 1 { return bytes }
  // OpenSSL's generator fails only when it cannot seed itself; the system's own is the next best, and as strong.
  var system = SystemRandomNumberGenerator()
  for index in bytes.indices { bytes[index] = UInt8.random(in: 0...255, using: &system) }
  return bytes
}
