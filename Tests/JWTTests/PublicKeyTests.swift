import Crypto
import Testing

@Suite struct PublicKeyTests {
  @Test func theTwoKindsAreTold() throws {
    #expect(try PublicKey(pem: ForeignTokens.rsaPublic).kind == .rsa(bits: 2048))
    #expect(try PublicKey(pem: ForeignTokens.p256Public).kind == .p256)
  }

  @Test func weakKeysAndOtherCurvesAreRefused() {
    #expect(throws: PublicKeyError.self) { try PublicKey(pem: ForeignTokens.rsa1024Public) }
    #expect(throws: PublicKeyError.self) { try PublicKey(pem: ForeignTokens.p384Public) }
  }

  @Test(arguments: [
    "", "hunter2", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----", String(repeating: "x", count: 20_000),
  ])
  func whatIsNoKeyIsRefused(text: String) {
    #expect(throws: PublicKeyError.self) { try PublicKey(pem: text) }
  }

  @Test func base64URLReadsWhatItWritesAndNothingElse() {
    for count in 0..<70 {
      let bytes = randomBytes(count)
      let text = Base64URL.encode(bytes)
      #expect(Base64URL.decode(text.utf8) == bytes)
      #expect(!text.contains("=") && !text.contains("+") && !text.contains("/"))
    }
    for text in ["A", "AB", "AAAAA", "AA==", "AA=", "A A", "+/AA", "AAB", "é"] {
      #expect(Base64URL.decode(text.utf8) == nil, "\(text)")
    }
    #expect(Base64URL.decode("AA".utf8) == [0])
    #expect(Base64URL.decode("-_8".utf8) == [0xFB, 0xFF])
  }
}
