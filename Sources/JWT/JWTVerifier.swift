import CivilTime
import Crypto
import JSON

/// Who may make tokens, and with which keys. A key speaks for its issuer alone (RFC 8725, section 3.8).
public struct TrustedIssuer: Sendable {
  /// What `iss` must be, to the letter.
  public var name: String
  /// More than one while keys are being exchanged.
  public var keys: [JWTKey]
  /// What `typ` may be, in lower case, without `application/`.
  public var types: Set<String>

  public init(name: String, keys: [JWTKey], types: Set<String>) {
    self.name = name
    self.keys = keys
    self.types = types
  }
}

/// Decides whether a JSON Web Token (RFC 7519) in compact form is good, by the rules of RFC 8725.
///
/// The key fixes the algorithm, nothing in a token chooses or brings a key (`kid` is not looked at), what is signed is
/// read only after the signature, and everything that has two readings is refused: members given twice, base64url that
/// is not canonical, critical extensions.
public struct JWTVerifier: Sendable {
  /// The longest token, in bytes.
  public static let largestToken = 4096
  private static let headerDepth = 2
  private static let claimsDepth = 8
  private static let longestKeyID = 200
  /// Members that would bring a key, compress, nest or change what is signed.
  private static let refusedHeaders = ["crit", "b64", "zip", "enc", "cty", "jwk", "jku", "x5u", "x5c"]

  private let issuers: [TrustedIssuer]
  private let audience: String
  /// How far two clocks may be apart.
  private let leeway: Duration
  /// How far ahead `exp` may be.
  private let longestLife: Duration

  public init(issuers: [TrustedIssuer], audience: String, leeway: Duration, longestLife: Duration) {
    self.issuers = issuers
    self.audience = audience
    self.leeway = leeway
    self.longestLife = longestLife
  }

  /// - Throws: `JWTError` with the first reason to refuse the token.
  public func verify(_ token: String, now: Timestamp) throws(JWTError) -> JWTClaims {
    guard token.utf8.count <= JWTVerifier.largestToken else { throw .tooLarge }
    let parts = token.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 3, let header = Base64URL.decode(parts[0]), let payload = Base64URL.decode(parts[1]),
      let signature = Base64URL.decode(parts[2])
    else { throw .malformed("not three parts of base64url") }
    let (algorithm, type) = try JWTVerifier.read(header: header)
    let input = Array(token.utf8.prefix(parts[0].count + 1 + parts[1].count))
    let issuer = try signer(of: input, signature, algorithm)
    let claims = try JWTVerifier.object(payload, depth: JWTVerifier.claimsDepth)
    guard issuer.types.contains(type) else { throw .wrongType }
    return try check(claims, of: issuer, fingerprint: SHA256.digest(input), now: now)
  }

  // MARK: Header and signature

  private static func read(header bytes: [UInt8]) throws(JWTError) -> (algorithm: JWTAlgorithm, type: String) {
    let header = try object(bytes, depth: headerDepth)
    for name in refusedHeaders where header[name] != nil { throw .unsupportedHeader(name) }
    if let keyID = header["kid"] {
      guard let text = keyID.stringValue, text.utf8.count <= longestKeyID else { throw .unsupportedHeader("kid") }
    }
    guard let algorithm = header["alg"]?.stringValue.flatMap(JWTAlgorithm.init(rawValue:)) else {
      throw .unsupportedAlgorithm
    }
    guard let type = header["typ"]?.stringValue?.lowercased() else { throw .wrongType }
    return (algorithm, type.hasPrefix("application/") ? String(type.dropFirst("application/".count)) : type)
  }

  private func signer(
    of input: [UInt8], _ signature: [UInt8], _ algorithm: JWTAlgorithm
  ) throws(JWTError) -> TrustedIssuer {
    var isKnown = false
    for issuer in issuers {
      for key in issuer.keys where key.algorithm == algorithm {
        isKnown = true
        if key.isValid(signature, for: input) { return issuer }
      }
    }
    throw isKnown ? .badSignature : .unsupportedAlgorithm
  }

  private static func object(_ bytes: [UInt8], depth: Int) throws(JWTError) -> JSONValue {
    let json: JSONValue
    do throws(JSONError) {
      json = try JSONValue.parse(bytes, maxDepth: depth)
    } catch {
      throw .malformed("\(error)")
    }
    guard json.objectValue != nil else { throw .malformed("not an object") }
    return json
  }

  // MARK: Claims

  private func check(
    _ claims: JSONValue, of issuer: TrustedIssuer, fingerprint: [UInt8], now: Timestamp
  ) throws(JWTError) -> JWTClaims {
    guard let name = claims["iss"]?.stringValue, JWTVerifier.isSame(name, issuer.name) else { throw .wrongIssuer }
    guard JWTVerifier.audiences(claims["aud"])?.contains(where: { JWTVerifier.isSame($0, audience) }) == true else {
      throw .wrongAudience
    }
    guard let expiry = try JWTVerifier.time(claims, "exp") else { throw .badClaim("exp") }
    guard now < expiry.advanced(by: leeway) else { throw .expired }
    for name in ["nbf", "iat"] {
      guard let start = try JWTVerifier.time(claims, name) else { continue }
      guard start <= now.advanced(by: leeway) else { throw .notYetValid }
    }
    guard expiry <= now.advanced(by: longestLife + leeway) else { throw .livesTooLong }
    guard let subject = claims["sub"]?.stringValue, (1...200).contains(subject.unicodeScalars.count) else {
      throw .badClaim("sub")
    }
    return JWTClaims(
      issuer: issuer.name, subject: subject, expiresAt: expiry, members: claims, fingerprint: fingerprint)
  }

  /// Byte for byte: Swift's own comparison takes composed and decomposed characters for the same.
  private static func isSame(_ left: String, _ right: String) -> Bool { left.utf8.elementsEqual(right.utf8) }

  /// `aud` is a text or a list of texts (RFC 7519, section 4.1.3).
  private static func audiences(_ value: JSONValue?) -> [String]? {
    if let one = value?.stringValue { return [one] }
    guard let many = value?.arrayValue else { return nil }
    let texts = many.compactMap(\.stringValue)
    return texts.count == many.count ? texts : nil
  }

  /// Seconds since 1970, whole or not (RFC 7519, section 2); nil when the claim is absent.
  private static func time(_ claims: JSONValue, _ name: String) throws(JWTError) -> Timestamp? {
    guard let value = claims[name] else { return nil }
    // Beyond the year 9999 no time is meant, and arithmetic in milliseconds could overflow.
    guard let seconds = value.doubleValue, (0...253_402_300_799).contains(seconds) else { throw .badClaim(name) }
    return Timestamp(milliseconds: Int64(seconds * 1000))
  }
}
