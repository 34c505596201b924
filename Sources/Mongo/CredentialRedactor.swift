/// Takes a connection string's secrets out of any text that is shown.
struct CredentialRedactor: Sendable {
  /// Longest first, so that no secret is left half-replaced by a shorter one.
  private let secrets: [String]

  init(uri: String) {
    var found: Set<String> = []
    if let userInfo = Self.userInfo(uri) {
      found.insert(userInfo)
      if let colon = userInfo.firstIndex(of: ":") {
        let password = String(userInfo[userInfo.index(after: colon)...])
        found.formUnion([password, Self.percentDecoded(password)])
      }
    }
    for option in uri.drop(while: { $0 != "?" }).dropFirst().split(separator: "&") {
      let parts = option.split(separator: "=", maxSplits: 1)
      let name = parts[0].lowercased()
      guard parts.count == 2, name.contains("password") || name.contains("authmechanismproperties") else { continue }
      found.formUnion([String(parts[1]), Self.percentDecoded(String(parts[1]))])
    }
    found.remove("")
    secrets = found.sorted { $0.utf8.count > $1.utf8.count }
  }

  func redact(_ text: String) -> String {
    var text = text
    for secret in secrets { text = Self.replace(secret, in: text) }
    return text
  }

  /// What stands between the scheme and the last `@` before the path.
  private static func userInfo(_ uri: String) -> String? {
    guard let scheme = firstRange(of: "://", in: uri) else { return nil }
    let rest = uri[scheme.upperBound...]
    // A password should be percent-encoded; one that is not may hold '/' or '?', so look at the whole rest.
    guard let at = rest.lastIndex(of: "@") else { return nil }
    return String(rest[..<at])
  }

  private static func replace(_ secret: String, in text: String) -> String {
    var result = ""
    var rest = text[...]
    while let range = firstRange(of: secret, in: rest) {
      result += rest[..<range.lowerBound] + "***"
      rest = rest[range.upperBound...]
    }
    return result + rest
  }

  private static func firstRange(of needle: String, in text: some StringProtocol) -> Range<String.Index>? {
    let wanted = Array(needle.utf8)
    var start = text.utf8.startIndex
    while start < text.utf8.endIndex {
      let candidate = text.utf8[start...]
      if candidate.starts(with: wanted) {
        return start..<candidate.index(start, offsetBy: wanted.count)
      }
      start = text.utf8.index(after: start)
    }
    return nil
  }

  private static func percentDecoded(_ text: String) -> String {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%"), rest.count >= 2,
        let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
      {
        bytes.append(value)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
