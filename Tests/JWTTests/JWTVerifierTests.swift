import CivilTime
import Crypto
import JSON
import JWT
import Testing

/// The attacks of RFC 8725 and their relatives, each refused; and the tokens that must pass.
@Suite struct JWTVerifierTests {
  private static let secret = Array("an example secret of 32 bytes or more".utf8)
  private static let now = Timestamp(milliseconds: ForeignTokens.issuedAt * 1000 + 60_000)

  private let verifier: JWTVerifier

  init() throws {
    verifier = JWTVerifier(
      issuers: [
        TrustedIssuer(name: "minicrm", keys: [try #require(JWTKey(secret: Self.secret))], types: ["at+jwt"]),
        TrustedIssuer(
          name: "https://id.example",
          keys: [
            JWTKey(try PublicKey(pem: ForeignTokens.rsaPublic)), JWTKey(try PublicKey(pem: ForeignTokens.p256Public)),
          ], types: ["at+jwt", "jwt"]),
      ], audience: "minicrm", leeway: .seconds(30), longestLife: .seconds(86_400))
  }

  private static func claims(_ changes: JSONObject = [:], without: Set<String> = []) -> JSONValue {
    let seconds = now.milliseconds / 1000
    var object: JSONObject = [
      "iss": "minicrm", "aud": "minicrm", "sub": "key:1", "role": "viewer", "iat": .int(seconds),
      "exp": .int(seconds + 900),
    ]
    object.entries.removeAll { without.contains($0.key) }
    for (key, value) in changes { object[key] = value }
    return .object(object)
  }

  private static let header: JSONValue = ["alg": "HS256", "typ": "at+jwt"]

  private static func token(
    _ header: JSONValue = header, _ claims: JSONValue = claims(), secret: [UInt8] = secret
  ) -> String {
    let input = Base64URL.encode(header.encoded()) + "." + Base64URL.encode(claims.encoded())
    return input + "." + Base64URL.encode(HMACSHA256.authenticate(Array(input.utf8), key: secret))
  }

  private func refusal(_ token: String, at now: Timestamp = now) -> JWTError? {
    do throws(JWTError) {
      _ = try verifier.verify(token, now: now)
      return nil
    } catch {
      return error
    }
  }

  // MARK: What passes

  @Test func aTokenOfOurOwnIsRead() throws {
    let signer = try #require(JWTSigner(secret: Self.secret, type: "at+jwt"))
    let claims = try verifier.verify(signer.sign(try #require(Self.claims().objectValue)), now: Self.now)
    #expect(claims.subject == "key:1")
    #expect(claims.members["role"]?.stringValue == "viewer")
    #expect(claims.expiresAt == Self.now.advanced(by: .seconds(900)))
  }

  @Test(arguments: [ForeignTokens.rs256, ForeignTokens.es256])
  func tokensOfAnotherImplementationAreRead(token: String) throws {
    #expect(try verifier.verify(token, now: Self.now).subject == "ana")
  }

  @Test func aSecretOfAnotherImplementationSignsTheSame() throws {
    let key = try #require(JWTKey(secret: Array(ForeignTokens.secret.utf8)))
    let other = JWTVerifier(
      issuers: [TrustedIssuer(name: "https://id.example", keys: [key], types: ["at+jwt"])], audience: "minicrm",
      leeway: .zero, longestLife: .seconds(86_400))
    #expect(try other.verify(ForeignTokens.hs256, now: Self.now).subject == "ana")
  }

  @Test func audienceMayBeAListAndTypeMaySayApplication() throws {
    let token = Self.token(
      ["alg": "HS256", "typ": "Application/AT+JWT"], Self.claims(["aud": ["other", "minicrm"]]))
    #expect(try verifier.verify(token, now: Self.now).subject == "key:1")
  }

  @Test func anOldSecretStillVerifiesWhileSecretsAreExchanged() throws {
    let fresh = try #require(JWTKey(secret: Array(repeating: 7, count: 32)))
    let old = try #require(JWTKey(secret: Self.secret))
    let rotating = JWTVerifier(
      issuers: [TrustedIssuer(name: "minicrm", keys: [fresh, old], types: ["at+jwt"])], audience: "minicrm",
      leeway: .zero, longestLife: .seconds(86_400))
    #expect(try rotating.verify(Self.token(), now: Self.now).subject == "key:1")
  }

  // MARK: Algorithms and keys

  @Test(arguments: ["none", "None", "NONE", "nOnE", "", "HS384", "HS512", "RS512", "PS256", "EdDSA", "hs256"])
  func otherAlgorithmsAreRefusedWhateverTheSignature(algorithm: String) {
    let header: JSONValue = ["alg": .string(algorithm), "typ": "at+jwt"]
    #expect(refusal(Self.token(header)) == .unsupportedAlgorithm)
    let unsigned = Self.token(header).split(separator: ".").prefix(2).joined(separator: ".") + "."
    #expect(refusal(unsigned) == .unsupportedAlgorithm)
  }

  @Test func anAlgorithmThatIsNoTextIsRefused() {
    for value: JSONValue in [nil, 0, true, ["HS256"], ["HS256": 1]] {
      #expect(refusal(Self.token(["alg": value, "typ": "at+jwt"])) == .unsupportedAlgorithm)
    }
  }

  /// The classic confusion: the public key, which everybody has, as the secret of an HMAC.
  @Test(arguments: [ForeignTokens.rsaPublic, ForeignTokens.p256Public])
  func aPublicKeyIsNeverASharedSecret(pem: String) {
    for text in [pem, pem + "\n", pem.replacing("\n", with: "")] {
      for issuer: JSONValue in ["minicrm", "https://id.example"] {
        let token = Self.token(Self.header, Self.claims(["iss": issuer]), secret: Array(text.utf8))
        #expect(refusal(token) == .badSignature)
      }
    }
  }

  @Test func anHMACIsNoSignatureOfAnAsymmetricAlgorithm() {
    for algorithm: JSONValue in ["RS256", "ES256"] {
      #expect(refusal(Self.token(["alg": algorithm, "typ": "at+jwt"])) == .badSignature)
    }
  }

  @Test func withoutAKeyOfItsKindAnAlgorithmIsNotSupported() throws {
    let symmetric = JWTVerifier(
      issuers: [TrustedIssuer(name: "minicrm", keys: [try #require(JWTKey(secret: Self.secret))], types: ["at+jwt"])],
      audience: "minicrm", leeway: .zero, longestLife: .seconds(86_400))
    #expect(throws: JWTError.unsupportedAlgorithm) { try symmetric.verify(ForeignTokens.rs256, now: Self.now) }
  }

  @Test func aKeySpeaksForItsOwnIssuerOnly() {
    #expect(refusal(Self.token(Self.header, Self.claims(["iss": "https://id.example"]))) == .wrongIssuer)
  }

  @Test func anotherSecretAndAShortOneAreRefused() {
    #expect(refusal(Self.token(secret: Array("another secret of more than 32 bytes".utf8))) == .badSignature)
    #expect(refusal(Self.token(secret: [])) == .badSignature)
    #expect(JWTKey(secret: Array(repeating: 1, count: 31)) == nil)
    #expect(JWTSigner(secret: Array(repeating: 1, count: 31), type: "at+jwt") == nil)
  }

  /// ECDSA with r = s = 0 passed in implementations that forgot to check the range.
  @Test func blankSignaturesAreRefused() {
    for token in [ForeignTokens.es256, ForeignTokens.rs256, Self.token()] {
      let input = token.split(separator: ".").prefix(2).joined(separator: ".")
      for count in [0, 1, 32, 64, 256, 257] {
        let blank = Base64URL.encode([UInt8](repeating: 0, count: count))
        #expect(refusal("\(input).\(blank)") == .badSignature, "\(count) bytes")
      }
    }
  }

  // MARK: Headers

  @Test(arguments: [
    "../../dev/null", "' OR 1=1 --", "/proc/self/environ", "https://evil.example/key", "\u{0}", "$ne",
  ])
  func aKeyIDChoosesNothing(keyID: String) {
    let header: JSONValue = ["alg": "HS256", "typ": "at+jwt", "kid": .string(keyID)]
    #expect(refusal(Self.token(header, secret: [])) == .badSignature, "an empty file's content signs nothing")
    #expect(refusal(Self.token(header)) == nil, "it is not looked at")
  }

  @Test func aKeyIDThatIsNoTextOrTooLongIsRefused() {
    for keyID: JSONValue in [1, ["a"], ["$ne": ""], .string(String(repeating: "k", count: 201))] {
      #expect(refusal(Self.token(["alg": "HS256", "typ": "at+jwt", "kid": keyID])) == .unsupportedHeader("kid"))
    }
  }

  @Test(arguments: ["crit", "b64", "zip", "enc", "cty", "jwk", "jku", "x5u", "x5c"])
  func headersThatBringKeysOrChangeTheMeaningAreRefused(name: String) {
    var header = Self.header.objectValue ?? [:]
    header[name] = ["exp"]
    #expect(refusal(Self.token(.object(header))) == .unsupportedHeader(name))
  }

  @Test func theTypeIsChecked() {
    for type: JSONValue in ["JWT", "", "dpop+jwt", "at+jwt2", "secevent+jwt"] {
      #expect(refusal(Self.token(["alg": "HS256", "typ": type])) == .wrongType)
    }
    #expect(refusal(Self.token(["alg": "HS256"])) == .wrongType)
  }

  // MARK: Form

  @Test func membersGivenTwiceAreRefused() {
    func signed(_ header: String, _ payload: String) -> String {
      let input = Base64URL.encode(Array(header.utf8)) + "." + Base64URL.encode(Array(payload.utf8))
      return input + "." + Base64URL.encode(HMACSHA256.authenticate(Array(input.utf8), key: Self.secret))
    }
    let payload = Self.claims().encodedString()
    let twice = payload.dropLast() + #","role":"admin"}"#
    guard case .malformed? = refusal(signed(Self.header.encodedString(), String(twice))) else {
      Issue.record("a claim given twice was accepted")
      return
    }
    guard case .malformed? = refusal(signed(#"{"alg":"none","alg":"HS256","typ":"at+jwt"}"#, payload)) else {
      Issue.record("a header given twice was accepted")
      return
    }
  }

  @Test func whatIsNoCompactTokenIsRefused() throws {
    let good = Self.token()
    let parts = good.split(separator: ".").map(String.init)
    let bad = [
      "", ".", "..", "...", "a.b", "a.b.c.d", good + ".", "." + good, good + "=", good + " ", good + "\n", " " + good,
      "\(parts[0])=.\(parts[1]).\(parts[2])", "\(parts[0]).\(parts[1])%.\(parts[2])", "\(parts[0]).\(parts[1]).+/",
      "W10.\(parts[1]).\(parts[2])", "bnVsbA.\(parts[1]).\(parts[2])", "\u{1F511}.\(parts[1]).\(parts[2])",
    ]
    for token in bad {
      guard case .malformed? = refusal(token) else {
        Issue.record("accepted, or refused for another reason: \(token)")
        continue
      }
    }
  }

  /// Unused bits of the last digit would make several texts for one signature.
  @Test func base64ThatIsNotCanonicalIsRefused() {
    let good = Self.token()
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    for character in alphabet where character != good.last {
      #expect(refusal(good.dropLast() + String(character)) != nil)
    }
  }

  @Test func everyChangedByteIsNoticed() throws {
    let good = Array(Self.token().utf8)
    for index in good.indices {
      var changed = good
      changed[index] = changed[index] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
      #expect(refusal(String(decoding: changed, as: UTF8.self)) != nil, "byte \(index)")
    }
  }

  @Test func largeAndDeepTokensAreRefused() {
    #expect(refusal(String(repeating: "A", count: 10 << 20)) == .tooLarge)
    #expect(
      refusal(Self.token(Self.header, Self.claims(["x": .string(String(repeating: "x", count: 4096))]))) == .tooLarge)
    let deep = (0..<20).reduce(JSONValue.int(1)) { value, _ in [value] }
    guard case .malformed? = refusal(Self.token(Self.header, Self.claims(["x": deep]))) else {
      Issue.record("a deeply nested token was accepted")
      return
    }
  }

  // MARK: Claims

  @Test func timeIsChecked() {
    let seconds = Self.now.milliseconds / 1000
    #expect(refusal(Self.token(Self.header, Self.claims(["exp": .int(seconds - 31)]))) == .expired)
    #expect(refusal(Self.token(Self.header, Self.claims(["exp": .int(seconds - 29)]))) == nil, "within the leeway")
    #expect(refusal(Self.token(Self.header, Self.claims(["nbf": .int(seconds + 31)]))) == .notYetValid)
    #expect(refusal(Self.token(Self.header, Self.claims(["nbf": .int(seconds + 29)]))) == nil)
    #expect(refusal(Self.token(Self.header, Self.claims(["iat": .int(seconds + 31)]))) == .notYetValid)
    #expect(refusal(Self.token(Self.header, Self.claims(["exp": .int(seconds + 86_431)]))) == .livesTooLong)
    #expect(refusal(Self.token(), at: Self.now.advanced(by: .seconds(931))) == .expired)
  }

  @Test func timesThatAreNoTimesAreRefused() {
    for value: JSONValue in ["9999999999", true, nil, [1], -1, 1e300, ["$gt": 0]] {
      for name in ["exp", "nbf", "iat"] {
        #expect(refusal(Self.token(Self.header, Self.claims([name: value]))) == .badClaim(name), "\(name) \(value)")
      }
    }
    #expect(refusal(Self.token(Self.header, Self.claims(without: ["exp"]))) == .badClaim("exp"))
  }

  @Test func issuerAudienceAndSubjectAreChecked() {
    for value: JSONValue in ["MiniCRM", "minicrm ", "", 1, ["minicrm"], nil] {
      #expect(refusal(Self.token(Self.header, Self.claims(["iss": value]))) == .wrongIssuer)
    }
    for value: JSONValue in ["other", "", 1, [], ["minicrm", 1], ["minicrm": true], nil, ["minicrm2"]] {
      #expect(refusal(Self.token(Self.header, Self.claims(["aud": value]))) == .wrongAudience)
    }
    for value: JSONValue in ["", 1, nil, ["$ne": nil], .string(String(repeating: "s", count: 201))] {
      #expect(refusal(Self.token(Self.header, Self.claims(["sub": value]))) == .badClaim("sub"))
    }
    for name in ["iss", "aud", "sub"] {
      #expect(refusal(Self.token(Self.header, Self.claims(without: [name]))) != nil)
    }
  }

  @Test func aRefusalTellsNothingOfWhatIsInside() {
    for error: JWTError in [.malformed("secret"), .unsupportedHeader("x5u"), .badSignature] {
      #expect(!error.description.contains("secret") && !error.description.contains("x5u"))
    }
  }
}
