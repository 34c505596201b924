import BSON
import CRMCore
import Crypto
import JSON

/// What of a document the audit log shows: the fields that changed, without secrets, without the text of messages, and
/// with people's data masked, since the log outlives the people's wish to be forgotten.
enum AuditRedaction {
  /// Bytes of a value, as JSON, above which only its size and digest are kept.
  private static let largestValue = 4096
  private static let longestText = 300

  private static let secrets: Set<String> = ["digest", "secret", "token", "password", "authorization", "fence"]
  /// What is sent to people, and records that may hold it.
  private static let messages: Set<String> = ["message_template", "message", "value", "headers"]
  private static let personal: Set<String> = ["name", "emails", "phones", "metadata", "email", "to"]
  /// Changes with every write.
  private static let incidental: Set<String> = ["updated_at", "used_at", "version"]

  /// The fields whose values differ, as they were and as they are; a document that was not there, or is not, is nil.
  static func difference(
    _ before: BSONDocument?, _ after: BSONDocument?, of resource: Effect.Resource
  ) -> (before: BSONDocument?, after: BSONDocument?) {
    guard let before, let after else {
      return (before.map { redact($0, of: resource) }, after.map { redact($0, of: resource) })
    }
    var (old, new) = (BSONDocument(), BSONDocument())
    for (key, value) in before where !incidental.contains(key) && after[key] != value {
      old.append(key, redact(key, value, of: resource))
    }
    for (key, value) in after where !incidental.contains(key) && before[key] != value {
      new.append(key, redact(key, value, of: resource))
    }
    return (old, new)
  }

  static func short(_ text: String) -> String {
    text.utf8.count <= longestText ? text : String(decoding: text.utf8.prefix(longestText), as: UTF8.self)
  }

  private static func redact(_ document: BSONDocument, of resource: Effect.Resource) -> BSONDocument {
    BSONDocument(document.map { (key: $0.key, value: redact($0.key, $0.value, of: resource)) })
  }

  private static func redact(_ key: String, _ value: BSONValue, of resource: Effect.Resource) -> BSONValue {
    if secrets.contains(key) { return "[secret]" }
    if messages.contains(key) { return digest(value) }
    if resource == .lead || resource == .order, personal.contains(key) { return mask(value) }
    return isLarge(value) ? digest(value) : value
  }

  private static func isLarge(_ value: BSONValue) -> Bool {
    switch value {
    case .string(let text): text.utf8.count > largestValue
    case .document, .array, .binary: JSONValue(bson: value).encoded().count > largestValue
    default: false
    }
  }

  /// `{"bytes", "sha256"}`: tells that a text changed, and whether it is one that is known, not what it says.
  private static func digest(_ value: BSONValue) -> BSONValue {
    let bytes: [UInt8] =
      switch value {
      case .string(let text): Array(text.utf8)
      case .binary(_, let bytes): bytes
      default: JSONValue(bson: value).encoded()
      }
    return ["bytes": .int64(Int64(bytes.count)), "sha256": .string(hexString(SHA256.digest(bytes)))]
  }

  /// The first character of texts, with the domain of e-mail addresses; the names of members.
  private static func mask(_ value: BSONValue) -> BSONValue {
    switch value {
    case .string(let text):
      let at = text.lastIndex(of: "@")
      return .string(String(text.prefix(1)) + "…" + (at.map { String(text[$0...].prefix(100)) } ?? ""))
    case .array(let values): return .array(values.prefix(20).map(mask))
    case .document(let document):
      return .document(BSONDocument(document.prefix(100).map { (key: $0.key, value: BSONValue.string("…")) }))
    default: return "…"
    }
  }
}
