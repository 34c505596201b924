/// Patterns of path segments and what is registered for them; pure.
///
/// A segment of a pattern is a literal, `:name` (any one segment that is not empty) or, last of all, `*name` (all that
/// remains, at least one segment). Literals beat parameters, whatever the method; parameters beat the rest.
struct RouteTree<Value: Sendable>: Sendable {
  struct Match {
    var value: Value
    /// What parameters and the rest matched, in the order of the pattern.
    var captures: [Substring]
  }

  enum Lookup {
    case found(Match)
    /// The path exists, but for these methods only.
    case otherMethods([HTTPMethod])
    case notFound
  }

  private struct Node: Sendable {
    var literals: [Substring: Int] = [:]
    var parameter: Int?
    var rest: Int?
    var values: [(method: HTTPMethod, value: Value)] = []
  }

  private var nodes = [Node()]

  /// Registers a value; one registered earlier for the same method and shape is replaced.
  mutating func insert(_ method: HTTPMethod, _ pattern: String, _ value: Value) {
    var node = 0
    for segment in Self.segments(pattern) {
      let next: Int
      switch segment.first {
      case ":":
        next = nodes[node].parameter ?? nodes.count
        nodes[node].parameter = next
      case "*":
        next = nodes[node].rest ?? nodes.count
        nodes[node].rest = next
      default:
        next = nodes[node].literals[segment] ?? nodes.count
        nodes[node].literals[segment] = next
      }
      if next == nodes.count { nodes.append(Node()) }
      node = next
    }
    nodes[node].values.removeAll { $0.method == method }
    nodes[node].values.append((method, value))
  }

  /// Finds the value for a decoded path. `HEAD` takes what is registered for `GET` where it has nothing of its own.
  func lookup(_ method: HTTPMethod, _ path: String) -> Lookup {
    var allowed: [HTTPMethod] = []
    var captures: [Substring] = []
    // A slash more than the deepest pattern has cannot match anything but a rest: no need to bound the count.
    let segments = Self.segments(path)
    if let value = search(node: 0, segments[...], method, &captures, &allowed) {
      return .found(Match(value: value, captures: captures))
    }
    if allowed.isEmpty { return .notFound }
    if allowed.contains(.get), !allowed.contains(.head) { allowed.append(.head) }
    if !allowed.contains(.options) { allowed.append(.options) }
    return .otherMethods(allowed)
  }

  private func search(
    node index: Int, _ segments: ArraySlice<Substring>, _ method: HTTPMethod, _ captures: inout [Substring],
    _ allowed: inout [HTTPMethod]
  ) -> Value? {
    let node = nodes[index]
    guard let segment = segments.first else { return value(of: node, method, &allowed) }
    if let next = node.literals[segment] {
      let known = allowed.count
      if let value = search(node: next, segments.dropFirst(), method, &captures, &allowed) { return value }
      // The path exists, for other methods: as a parameter its literal would be taken for somebody's id.
      if allowed.count > known { return nil }
    }
    if let next = node.parameter, !segment.isEmpty {
      captures.append(segment)
      if let value = search(node: next, segments.dropFirst(), method, &captures, &allowed) { return value }
      captures.removeLast()
    }
    if let next = node.rest, let last = segments.last, !last.isEmpty || segments.count > 1 {
      if let value = value(of: nodes[next], method, &allowed) {
        // Segments are slices of one string: what lies between the first and the last is the rest of the path.
        captures.append(segment.base[segment.startIndex..<last.endIndex])
        return value
      }
    }
    return nil
  }

  private func value(of node: Node, _ method: HTTPMethod, _ allowed: inout [HTTPMethod]) -> Value? {
    for entry in node.values where entry.method == method { return entry.value }
    if method == .head {
      for entry in node.values where entry.method == .get { return entry.value }
    }
    for entry in node.values where !allowed.contains(entry.method) { allowed.append(entry.method) }
    return nil
  }

  /// `/a/b/` → `a`, `b` and an empty one: a slash at the end makes another path.
  static func segments(_ path: String) -> [Substring] {
    guard path.utf8.first == UInt8(ascii: "/") else { return [path[...]] }
    var segments: [Substring] = []
    let utf8 = path.utf8
    var start = utf8.index(after: utf8.startIndex)
    if start == utf8.endIndex { return [] }
    var index = start
    while index != utf8.endIndex {
      if utf8[index] == UInt8(ascii: "/") {
        segments.append(path[start..<index])
        start = utf8.index(after: index)
      }
      index = utf8.index(after: index)
    }
    segments.append(path[start...])
    return segments
  }
}
