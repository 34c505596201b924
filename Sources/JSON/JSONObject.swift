/// The members of a JSON object in the order in which they were written.
///
/// Lookup is a linear scan: objects of requests and records have few members, and order is kept for messages to people.
public struct JSONObject: Sendable {
  public var entries: [(key: String, value: JSONValue)]

  /// Takes the members as they are. A key given twice keeps both entries; lookup finds the first.
  public init(_ entries: [(key: String, value: JSONValue)] = []) { self.entries = entries }

  public var isEmpty: Bool { entries.isEmpty }
  public var count: Int { entries.count }
  public var keys: [String] { entries.map(\.key) }

  /// The position of a member of that name: the first one at or after `start`, else the first before it.
  public func index(of key: String, from start: Int = 0) -> Int? {
    let start = Swift.min(start, entries.count)
    for index in start..<entries.count where entries[index].key == key { return index }
    for index in 0..<start where entries[index].key == key { return index }
    return nil
  }

  /// Reading finds the first member of that name. Writing replaces it in its place, appends it, or, with nil, removes it.
  public subscript(key: String) -> JSONValue? {
    get {
      index(of: key).map { entries[$0].value }
    }
    set {
      switch (index(of: key), newValue) {
      case (let index?, let value?): entries[index].value = value
      case (let index?, nil): entries.remove(at: index)
      case (nil, let value?): entries.append((key, value))
      case (nil, nil): break
      }
    }
  }
}

extension JSONObject: Equatable {
  /// The same keys with the same values; their order does not matter.
  public static func == (left: JSONObject, right: JSONObject) -> Bool {
    guard left.count == right.count else { return false }
    if left.count <= 16 {
      return left.entries.allSatisfy { right[$0.key] == $0.value }
    }
    let members = Dictionary(right.entries.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
    return left.entries.allSatisfy { members[$0.key] == $0.value }
  }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
  public init(dictionaryLiteral elements: (String, JSONValue)...) {
    self.init(elements.map { (key: $0.0, value: $0.1) })
  }
}

extension JSONObject: Sequence {
  public func makeIterator() -> IndexingIterator<[(key: String, value: JSONValue)]> { entries.makeIterator() }
}
