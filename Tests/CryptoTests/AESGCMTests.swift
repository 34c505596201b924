import Crypto
import Testing

@Suite struct AESGCMTests {
  private static let key = [UInt8](0..<32)

  private static func bytes(_ hex: String) -> [UInt8] {
    let digits = Array(hex.utf8).map { UInt8($0 < 0x3A ? $0 - 0x30 : $0 - 0x57) }
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }

  /// Test cases 13, 14 and 15 of the specification of GCM by McGrew and Viega: nonce, ciphertext and tag in one.
  @Test(
    arguments: [
      (String(repeating: "0", count: 64), "000000000000000000000000" + "530f8afbc74536b9a963b4f1c4cb738b", ""),
      (
        String(repeating: "0", count: 64),
        "000000000000000000000000" + "cea7403d4d606b6e074ec5d3baf39d18" + "d0d1c8a799996bf0265b98b5d48ab919",
        "00000000000000000000000000000000"
      ),
      (
        "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
        "cafebabefacedbaddecaf888"
          + "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
          + "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad" + "b094dac5d93471bdec1a502270e3cc6c",
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
          + "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255"
      ),
    ]) func opensWhatTheSpecificationSeals(key: String, sealed: String, message: String)
  {
    #expect(AESGCM.open(Self.bytes(sealed), key: Self.bytes(key)) == Self.bytes(message))
  }

  @Test(arguments: [0, 1, 15, 16, 17, 100_000]) func opensWhatItSealed(count: Int) throws {
    let message = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
    let sealed = try #require(AESGCM.seal(message, key: Self.key))
    #expect(sealed.count == count + 28)
    #expect(AESGCM.open(sealed, key: Self.key) == message)
    #expect(try #require(AESGCM.seal(message, key: Self.key)) != sealed, "the nonce is new each time")
  }

  @Test func opensNothingElse() throws {
    let sealed = try #require(AESGCM.seal(Array("secret".utf8), key: Self.key))
    var other = Self.key
    other[31] ^= 1
    #expect(AESGCM.open(sealed, key: other) == nil)
    for index in sealed.indices {
      var changed = sealed
      changed[index] ^= 1
      #expect(AESGCM.open(changed, key: Self.key) == nil, "byte \(index)")
    }
    for count in 0..<sealed.count { #expect(AESGCM.open(Array(sealed[..<count]), key: Self.key) == nil) }
    #expect(AESGCM.seal([1], key: [1, 2, 3]) == nil)
    #expect(AESGCM.open(sealed, key: [1, 2, 3]) == nil)
  }
}
