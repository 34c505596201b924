import BSON
import CivilTime
import JSON

/// A new API key as a client asks for it, checked and normalised.
public struct APIKeyInput: Sendable, Equatable {
  public var name: String
  public var role: Role
  /// Nil: everything that the role may.
  public var scopes: Set<Scope>?
  public var expiresAt: Timestamp?

  /// Checks and normalises, reporting every bad field.
  ///
  /// - Parameter now: an expiry must be later.
  public static func decode(_ json: JSONValue, now: Timestamp) -> Result<APIKeyInput, ValidationError> {
    var reader = ObjectReader(json)
    let name = reader.string("name", required: true, length: 1...100)
    let role = reader.choice("role", of: Role.self, required: true)
    let scopes = reader.strings("scopes", count: 1...Scope.allCases.count) { text in
      guard let scope = Scope(rawValue: text) else {
        let all = Scope.allCases.map(\.rawValue).joined(separator: ", ")
        return .failure(FieldProblem("invalid_choice", "must be one of \(all)"))
      }
      guard role?.scopes.contains(scope) ?? true else {
        return .failure(FieldProblem("beyond_role", "is more than the role \(role?.rawValue ?? "") may"))
      }
      return .success(text)
    }
    let expiry = reader.timestamp("expires_at")
    if let expiry, expiry <= now {
      reader.reject("expires_at", FieldProblem("in_the_past", "must be later than \(now)"))
    }
    return reader.result {
      guard let name, let role else { return nil }
      return APIKeyInput(
        name: name, role: role, scopes: scopes.map { Set($0.compactMap(Scope.init(rawValue:))) }, expiresAt: expiry)
    }
  }

  /// The key to store.
  public func newKey(_ secret: APIKeySecret, by creator: String, at now: Timestamp, id: ObjectID) -> APIKey {
    APIKey(
      id: id, name: name, prefix: secret.prefix, digest: secret.digest, role: role, narrowedTo: scopes,
      createdBy: creator, createdAt: now, expiresAt: expiresAt)
  }
}
