import BSON
import CRMCore
import CivilTime

/// Who makes a request, as far as it is known.
struct Principal: Sendable, Equatable {
  enum Kind: Sendable, Equatable {
    /// Nobody needs to say who he is: a public operation.
    case anonymous
    /// Nobody is asked who he is (`AUTH_MODE=off`).
    case local
    /// The key of the setting `BOOTSTRAP_ADMIN_KEY`.
    case bootstrap
    case apiKey(ObjectID)
    /// A token, by its fingerprint.
    case token([UInt8], until: Timestamp)

    var name: String {
      switch self {
      case .anonymous: "anonymous"
      case .local: "local"
      case .bootstrap: "bootstrap"
      case .apiKey: "api_key"
      case .token: "token"
      }
    }
  }

  var kind: Kind
  /// Stable, for the audit log and for limits: `key:<id>`, `user:<issuer's subject>`, …
  var id: String
  /// As people know them.
  var name: String
  var role: Role
  var scopes: Set<Scope>

  static let anonymous = Principal(kind: .anonymous, id: "anonymous", name: "anonymous", role: .viewer, scopes: [])
  static let local = Principal(kind: .local, id: "local", name: "local", role: .admin, scopes: Role.admin.scopes)
  /// It can make the first key, and nothing else.
  static let bootstrap = Principal(
    kind: .bootstrap, id: "bootstrap", name: "bootstrap", role: .admin, scopes: [.keysManage])

  init(kind: Kind, id: String, name: String, role: Role, scopes: Set<Scope>) {
    self.kind = kind
    self.id = id
    self.name = name
    self.role = role
    self.scopes = scopes
  }

  init(_ key: APIKey) {
    self.init(
      kind: .apiKey(key.id), id: Principal.id(ofKey: key.id), name: key.name, role: key.role, scopes: key.scopes)
  }

  /// How the subject of our own tokens and the audit log name a key.
  static func id(ofKey id: ObjectID) -> String { "key:\(id.hex)" }

  /// The key that such a name is of.
  static func keyID(_ id: String) -> ObjectID? {
    id.hasPrefix("key:") ? ObjectID(hex: String(id.dropFirst("key:".count))) : nil
  }

  /// Whether somebody has said, and shown, who they are.
  var isIdentified: Bool {
    switch kind {
    case .anonymous, .local: false
    case .bootstrap, .apiKey, .token: true
    }
  }
}
