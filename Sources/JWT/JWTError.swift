/// Why a token is not accepted.
public enum JWTError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Longer than a token may be.
  case tooLarge
  /// Not three parts of base64url with two JSON objects, or members of the wrong type.
  case malformed(String)
  /// An algorithm that no key here has.
  case unsupportedAlgorithm
  /// A header that asks for something that is not supported, or brings a key along.
  case unsupportedHeader(String)
  /// No key here has signed it.
  case badSignature
  /// Signed, but by a key that does not speak for this issuer.
  case wrongIssuer
  case wrongAudience
  /// Of a kind that is not for this use.
  case wrongType
  case expired
  case notYetValid
  /// Valid for longer than any token may be.
  case livesTooLong
  /// A claim that must be there is not, or is not what it must be.
  case badClaim(String)

  /// For the client. Before the signature is known to be good, it tells nothing but the form.
  public var description: String {
    switch self {
    case .tooLarge: "the token is too long"
    case .malformed: "the token is not a JSON Web Token in compact form"
    case .unsupportedAlgorithm, .unsupportedHeader: "the token's header is not supported"
    case .badSignature: "the token's signature is not valid"
    case .wrongIssuer: "the token is of another issuer"
    case .wrongAudience: "the token is for another audience"
    case .wrongType: "the token is of another type"
    case .expired: "the token has expired"
    case .notYetValid: "the token is not valid yet"
    case .livesTooLong: "the token lives too long"
    case .badClaim(let name): "the token's claim \(name) is missing or not usable"
    }
  }
}
