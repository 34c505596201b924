import BSON
import CivilTime
import Crypto
import JSON

/// A key that programs call the API with. The key itself is shown once, when it is made; kept is its digest.
public struct APIKey: Sendable, Equatable {
  public var id: ObjectID
  /// What people call it.
  public var name: String
  /// How the key begins: people recognise it by that, and it is looked up by it.
  public var prefix: String
  /// SHA-256 of the whole key.
  public var digest: [UInt8]
  public var role: Role
  /// What the key is narrowed to; nil: everything that its role may.
  public var narrowedTo: Set<Scope>?
  /// Who made it.
  public var createdBy: String
  public var createdAt: Timestamp
  public var expiresAt: Timestamp?
  public var revokedAt: Timestamp?
  /// True to about a minute.
  public var lastUsedAt: Timestamp?

  public init(
    id: ObjectID, name: String, prefix: String, digest: [UInt8], role: Role, narrowedTo: Set<Scope>? = nil,
    createdBy: String, createdAt: Timestamp, expiresAt: Timestamp? = nil, revokedAt: Timestamp? = nil,
    lastUsedAt: Timestamp? = nil
  ) {
    self.id = id
    self.name = name
    self.prefix = prefix
    self.digest = digest
    self.role = role
    self.narrowedTo = narrowedTo
    self.createdBy = createdBy
    self.createdAt = createdAt
    self.expiresAt = expiresAt
    self.revokedAt = revokedAt
    self.lastUsedAt = lastUsedAt
  }

  /// What it may do: what its role may, narrowed.
  public var scopes: Set<Scope> { narrowedTo.map(role.scopes.intersection) ?? role.scopes }

  public func isActive(at now: Timestamp) -> Bool {
    revokedAt == nil && expiresAt.map { now < $0 } ?? true
  }

  /// Whether `secret` is this key, in a time that does not depend on where they differ.
  public func matches(_ secret: APIKeySecret) -> Bool { constantTimeEqual(digest, secret.digest) }
}

/// The text of a key: `mcrm_`, eight hexadecimal digits to know it by, `_`, and 256 random bits in base64url.
///
/// With so many random bits a plain digest is enough: there is nothing to guess that a slow one would protect.
public struct APIKeySecret: Sendable, Equatable {
  public static let marker = "mcrm_"
  private static let prefixBytes = 4
  private static let secretBytes = 32
  private static let prefixLength = marker.utf8.count + 2 * prefixBytes
  private static let length = prefixLength + 1 + 43

  public let text: String
  public let prefix: String

  /// A new one.
  public init() {
    prefix = APIKeySecret.marker + hexString(randomBytes(APIKeySecret.prefixBytes))
    text = prefix + "_" + Base64URL.encode(randomBytes(APIKeySecret.secretBytes))
  }

  /// Nil for a text that no key can be.
  public init?(_ text: String) {
    let bytes = Array(text.utf8)
    guard bytes.count == APIKeySecret.length, text.hasPrefix(APIKeySecret.marker),
      bytes[APIKeySecret.prefixLength] == UInt8(ascii: "_"),
      bytes[APIKeySecret.marker.utf8.count..<APIKeySecret.prefixLength].allSatisfy({ byte in
        (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte)
      }), Base64URL.decode(bytes[(APIKeySecret.prefixLength + 1)...])?.count == APIKeySecret.secretBytes
    else { return nil }
    self.text = text
    prefix = String(decoding: bytes[..<APIKeySecret.prefixLength], as: UTF8.self)
  }

  public var digest: [UInt8] { SHA256.digest(Array(text.utf8)) }
}

extension APIKey {
  public init(bson: BSONDocument) throws(DocumentShapeError) {
    let reader = DocumentReader("api key", bson)
    let scopes = try reader.optional("scopes", "an array") { $0.arrayValue }
    self.init(
      id: try reader.id(), name: try reader.string("name"), prefix: try reader.string("prefix"),
      digest: try reader.required("digest", "binary") { $0.binaryValue }, role: try reader.choice("role"),
      // A scope that this version does not know gives nothing.
      narrowedTo: scopes.map { Set($0.compactMap { $0.stringValue.flatMap(Scope.init(rawValue:)) }) },
      createdBy: try reader.string("created_by"), createdAt: try reader.time("created_at"),
      expiresAt: try reader.optionalTime("expires_at"), revokedAt: try reader.optionalTime("revoked_at"),
      lastUsedAt: try reader.optionalTime("last_used_at"))
  }

  public func bson() -> BSONDocument {
    var document = BSONDocument(capacity: 512)
    document.append("_id", id)
    document.append("name", name)
    document.append("prefix", prefix)
    document.append("digest", binary: digest)
    document.append("role", role.rawValue)
    if let narrowedTo { document.append("scopes", strings: narrowedTo.map(\.rawValue).sorted()) }
    document.append("created_by", createdBy)
    document.append("created_at", createdAt)
    document.append("expires_at", optional: expiresAt)
    document.append("revoked_at", optional: revokedAt)
    document.append("last_used_at", optional: lastUsedAt)
    return document
  }
}

extension APIKey: JSONRepresentable {
  /// Without the digest.
  public var jsonValue: JSONValue {
    [
      "_id": .string(id.hex), "name": .string(name), "prefix": .string(prefix), "role": .string(role.rawValue),
      "scopes": .array(scopes.map(\.rawValue).sorted().map { .string($0) }), "created_by": .string(createdBy),
      "created_at": JSONValue(createdAt), "expires_at": JSONValue(expiresAt), "revoked_at": JSONValue(revokedAt),
      "last_used_at": JSONValue(lastUsedAt),
    ]
  }
}
