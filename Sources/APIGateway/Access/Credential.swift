import CRMCore
import HTTP

/// What a request brings to show who makes it.
enum Credential: Sendable, Equatable {
  case apiKey(APIKeySecret)
  /// Neither shaped like a key nor known to be a token.
  case bearer(String)

  static let apiKeyHeader = "X-API-Key"

  /// Reads `Authorization: Bearer …` (RFC 6750) or `X-API-Key: …`; nil when there is neither.
  ///
  /// - Throws: `Problem` (401) for two credentials, other schemes and keys that cannot be keys.
  static func read(_ headers: HTTPHeaders) throws(Problem) -> Credential? {
    let authorizations = headers.values("Authorization")
    let keys = headers.values(apiKeyHeader)
    guard authorizations.count + keys.count <= 1 else {
      throw .unauthenticated("More than one credential was sent.", isInvalid: true)
    }
    if let key = keys.first {
      guard let secret = APIKeySecret(key) else {
        // The bootstrap key may have any shape.
        return .bearer(key)
      }
      return .apiKey(secret)
    }
    guard let authorization = authorizations.first else { return nil }
    let parts = authorization.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, parts[0].lowercased() == "bearer" else {
      throw .unauthenticated("The Authorization header must be: Bearer <token or API key>.", isInvalid: true)
    }
    let text = String(parts[1])
    return APIKeySecret(text).map(Credential.apiKey) ?? .bearer(text)
  }
}
