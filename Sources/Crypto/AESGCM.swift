import CCrypto

/// AES-256 in Galois/Counter Mode (NIST SP 800-38D): nobody without the key can read or change what is sealed.
public enum AESGCM {
  /// Bytes of a key.
  private static let keySize = 32
  private static let nonceSize = 12
  private static let tagSize = 16

  /// - Parameter key: 32 bytes. With random nonces one key is good for some billions of messages.
  /// - Returns: nonce, ciphertext and tag in one; nil when the key has another size.
  public static func seal(_ message: [UInt8], key: [UInt8]) -> [UInt8]? {
    let nonce = randomBytes(nonceSize)
    guard key.count == keySize, let context = EVP_CIPHER_CTX_new() else { return nil }
    defer { EVP_CIPHER_CTX_free(context) }
    var ciphertext = [UInt8](repeating: 0, count: message.count)
    var tag = [UInt8](repeating: 0, count: tagSize)
    var (count, rest) = (Int32(0), Int32(0))
    guard let length = Int32(exactly: message.count),
      EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), nil, key, nonce) == 1,
      EVP_EncryptUpdate(context, &ciphertext, &count, message, length) == 1,
      // A stream has nothing left to write here.
      EVP_EncryptFinal_ex(context, &tag, &rest) == 1,
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(tagSize), &tag) == 1
    else { return nil }
    return nonce + ciphertext + tag
  }

  /// - Returns: the message; nil when it was sealed with another key, or has been changed.
  public static func open(_ sealed: [UInt8], key: [UInt8]) -> [UInt8]? {
    guard key.count == keySize, sealed.count >= nonceSize + tagSize, let context = EVP_CIPHER_CTX_new() else {
      return nil
    }
    defer { EVP_CIPHER_CTX_free(context) }
    let nonce = Array(sealed[..<nonceSize])
    let ciphertext = Array(sealed[nonceSize..<(sealed.count - tagSize)])
    var tag = Array(sealed[(sealed.count - tagSize)...])
    var message = [UInt8](repeating: 0, count: ciphertext.count)
    var end = [UInt8](repeating: 0, count: tagSize)
    var (count, rest) = (Int32(0), Int32(0))
    guard let length = Int32(exactly: ciphertext.count),
      EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), nil, key, nonce) == 1,
      EVP_DecryptUpdate(context, &message, &count, ciphertext, length) == 1,
      EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(tagSize), &tag) == 1,
      EVP_DecryptFinal_ex(context, &end, &rest) == 1
    else { return nil }
    return message
  }
}
