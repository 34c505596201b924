import Crypto
import Foundation
import JWT
import Runtime
import ServiceHost

/// Whether callers must say who they are.
enum AuthMode: String, CaseIterable, Sendable {
  case required, off
}

/// The settings of access control, read together and checked against each other.
struct AccessSettings: Sendable {
  /// How far ahead a token's end may be, whoever made it.
  static let longestTokenLife = Duration.seconds(86_400)
  /// The type of our own tokens (RFC 9068).
  static let tokenType = "at+jwt"

  let mode: AuthMode
  let verifier: JWTVerifier
  /// Nil where nobody needs tokens.
  let signer: JWTSigner?
  let issuer: String
  let audience: String
  /// Seconds that a token lives unless it is asked to live shorter.
  let tokenLifetime: Int
  /// SHA-256 of the key that makes the first key.
  let bootstrapDigest: [UInt8]?
  /// For how long what the database said of a credential is believed.
  let cacheTime: Duration

  /// - Throws: `SettingsError` with everything that does not fit together.
  init(_ settings: Settings) throws(SettingsError) {
    let problems = AccessSettings.problems(settings)
    guard problems.isEmpty else { throw SettingsError(problems: problems) }
    mode = AuthMode(rawValue: settings[CRMSettings.authMode]) ?? .required
    issuer = settings[CRMSettings.jwtIssuer]
    audience = settings[CRMSettings.jwtAudience]
    let secrets = settings[CRMSettings.jwtSecrets].map { Array($0.utf8) }
    signer = secrets.first.flatMap { JWTSigner(secret: $0, type: AccessSettings.tokenType) }
    var issuers = [
      TrustedIssuer(
        name: issuer, keys: secrets.compactMap { JWTKey(secret: $0) }, types: [AccessSettings.tokenType])
    ]
    if case .success(let key?) = AccessSettings.publicKey(settings) {
      issuers.append(
        TrustedIssuer(
          name: settings[CRMSettings.jwtPublicKeyIssuer], keys: [JWTKey(key)], types: [AccessSettings.tokenType, "jwt"])
      )
    }
    verifier = JWTVerifier(
      issuers: issuers, audience: audience, leeway: .seconds(settings[CRMSettings.jwtLeeway]),
      longestLife: AccessSettings.longestTokenLife)
    tokenLifetime = settings[CRMSettings.jwtLifetime]
    let bootstrap = settings[CRMSettings.bootstrapAdminKey]
    bootstrapDigest = bootstrap.isEmpty ? nil : SHA256.digest(Array(bootstrap.utf8))
    cacheTime = .seconds(settings[CRMSettings.authCache])
  }

  /// `KEY: what is wrong`, for what no single setting shows. Settings that are bad by themselves are passed over here.
  @Sendable static func problems(_ settings: Settings) -> [String] {
    var problems: [String] = []
    let mode = settings.usable(CRMSettings.authMode)
    if mode == AuthMode.off.rawValue, let host = settings.usable(CRMSettings.host), !isLoopback(host) {
      problems.append(
        "AUTH_MODE: off is allowed only where nobody else can call: set HOST=127.0.0.1, or AUTH_MODE=required "
          + "(HOST is \(host))")
    }
    if mode == AuthMode.required.rawValue, settings.usable(CRMSettings.jwtSecrets)?.isEmpty == true {
      problems.append("JWT_SECRET: is required and not set (openssl rand -base64 48)")
    }
    switch publicKey(settings) {
    case .success(nil): break
    case .success:
      let issuer = settings.usable(CRMSettings.jwtPublicKeyIssuer)
      if issuer == "" {
        problems.append("JWT_PUBLIC_KEY_ISSUER: is required beside a public key: whose tokens does it check?")
      } else if issuer == settings.usable(CRMSettings.jwtIssuer) {
        problems.append("JWT_PUBLIC_KEY_ISSUER: must not be JWT_ISSUER: two keys would speak for one issuer")
      }
    case .failure(let error): problems.append("\(error)")
    }
    for text in settings.usable(CRMSettings.trustedProxies) ?? [] where NetworkRange(text) == nil {
      problems.append("TRUSTED_PROXIES: \"\(text)\" is neither an IP address nor a range such as 10.0.0.0/8")
    }
    return problems
  }

  static func isLoopback(_ host: String) -> Bool {
    host.lowercased() == "localhost" || NetworkAddress(host)?.isLoopback == true
  }

  /// The key of `JWT_PUBLIC_KEY` or `JWT_PUBLIC_KEY_FILE`; nil when neither is set.
  private static func publicKey(_ settings: Settings) -> Result<PublicKey?, SettingError> {
    let text = settings.usable(CRMSettings.jwtPublicKey) ?? ""
    let path = settings.usable(CRMSettings.jwtPublicKeyFile) ?? ""
    if text.isEmpty, path.isEmpty { return .success(nil) }
    guard text.isEmpty || path.isEmpty else {
      return .failure(SettingError("JWT_PUBLIC_KEY: is set beside JWT_PUBLIC_KEY_FILE; one of them is enough"))
    }
    let name = text.isEmpty ? "JWT_PUBLIC_KEY_FILE" : "JWT_PUBLIC_KEY"
    guard let pem = text.isEmpty ? try? String(contentsOfFile: path, encoding: .utf8) : text else {
      return .failure(SettingError("\(name): \(path) cannot be read"))
    }
    do throws(PublicKeyError) {
      // Environment files have no lines within a value.
      return .success(try PublicKey(pem: pem.replacing("\\n", with: "\n")))
    } catch {
      return .failure(SettingError("\(name): \(error)"))
    }
  }
}
