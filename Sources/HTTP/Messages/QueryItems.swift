/// The decoded name–value pairs of a query string, in order, duplicates kept.
public struct QueryItems: Sendable {
  /// The pairs as they came; a name without `=` has an empty value.
  public private(set) var items: [(name: String, value: String)] = []

  public init() {}

  public init(_ items: [(name: String, value: String)]) { self.items = items }

  /// Decodes what follows the `?` of a target; `+` is a space, empty parts (`a=1&&b=2`) are passed over.
  init(decoding query: some Collection<UInt8>) throws(PercentDecodingError) {
    for part in query.split(separator: UInt8(ascii: "&")) {
      let name: String
      let value: String
      if let equals = part.firstIndex(of: UInt8(ascii: "=")) {
        name = try PercentCoding.decode(part[..<equals], plusIsSpace: true, allowSlash: true)
        value = try PercentCoding.decode(part[part.index(after: equals)...], plusIsSpace: true, allowSlash: true)
      } else {
        name = try PercentCoding.decode(part, plusIsSpace: true, allowSlash: true)
        value = ""
      }
      items.append((name, value))
    }
  }

  public var isEmpty: Bool { items.isEmpty }
  public var count: Int { items.count }

  /// The first value of the name. Names are case-sensitive.
  public subscript(name: String) -> String? {
    items.first { $0.name == name }?.value
  }

  /// Every value of the name, in order.
  public func values(_ name: String) -> [String] {
    items.filter { $0.name == name }.map(\.value)
  }

  /// The names in order of their first appearance, each once: to refuse the unknown ones.
  public var names: [String] {
    var seen = Set<String>()
    return items.map(\.name).filter { seen.insert($0).inserted }
  }
}

extension QueryItems: Sequence {
  public func makeIterator() -> IndexingIterator<[(name: String, value: String)]> { items.makeIterator() }
}
