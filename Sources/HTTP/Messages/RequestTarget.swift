/// The decoded parts of a request target (RFC 9112, section 3.2).
struct RequestTarget: Sendable {
  /// Percent-decoded, `/`-separated; an encoded slash is refused, so that segments cannot move. `*` for `OPTIONS *`.
  var path: String
  var query: QueryItems

  /// Takes origin-form, absolute-form (its authority is dropped) and, for `OPTIONS`, `*`.
  init(_ target: some Collection<UInt8>, method: HTTPMethod) throws(RequestProblem) {
    guard let first = target.first else { throw .malformed("empty request target") }
    for byte in target where !CharacterClass.target.contains(byte) {
      throw .malformed("character not allowed in the request target")
    }
    if first == UInt8(ascii: "*"), target.count == 1, method == .options {
      path = "*"
      query = QueryItems()
      return
    }
    var origin = target[...]
    if first != UInt8(ascii: "/") {
      guard let rest = Self.withoutAuthority(target) else { throw .malformed("request target not understood") }
      origin = rest
    }
    let question = origin.firstIndex(of: UInt8(ascii: "?"))
    let rawPath = origin[..<(question ?? origin.endIndex)]
    do throws(PercentDecodingError) {
      path = try Self.decodedPath(rawPath)
      if let question {
        query = try QueryItems(decoding: origin[origin.index(after: question)...])
      } else {
        query = QueryItems()
      }
    } catch {
      switch error {
      case .malformedEscape: throw .malformed("invalid percent-encoding in the request target")
      case .invalidUTF8: throw .malformed("the request target is not UTF-8")
      case .forbiddenCharacter: throw .malformed("encoded slash or NUL in the request target")
      }
    }
  }

  /// A target that is refused, as it was sent: the refusal names it.
  init(undecoded target: some Collection<UInt8>) {
    path = String(decoding: target.prefix { $0 != UInt8(ascii: "?") }, as: UTF8.self)
    query = QueryItems()
  }

  /// What follows the authority of `http://host[:port]…`, or `nil` when the target is in no form known here.
  private static func withoutAuthority<C: Collection<UInt8>>(_ target: C) -> C.SubSequence? {
    for scheme in ["http://", "https://"] {
      guard target.count > scheme.utf8.count,
        zip(target, scheme.utf8).allSatisfy({ CharacterClass.lowercased($0) == $1 })
      else { continue }
      let rest = target.dropFirst(scheme.utf8.count)
      guard let end = rest.firstIndex(where: { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") }) else { return nil }
      guard end != rest.startIndex, rest[end] == UInt8(ascii: "/") else { return nil }
      return rest[end...]
    }
    return nil
  }

  private static func decodedPath(_ raw: some Collection<UInt8>) throws(PercentDecodingError) -> String {
    // A literal slash passes; only an *encoded* one is refused, so that segments divide as the client divided them.
    if raw.contains(UInt8(ascii: "%")) { return try PercentCoding.decode(raw, plusIsSpace: false, allowSlash: false) }
    return String(decoding: raw, as: UTF8.self)
  }
}
