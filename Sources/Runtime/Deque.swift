/// A first-in-first-out queue with amortised constant-time ends: two arrays, one of which is read backwards.
public struct Deque<Element> {
  private var outgoing: [Element] = []
  private var incoming: [Element] = []

  public init() {}

  public var count: Int { outgoing.count + incoming.count }
  public var isEmpty: Bool { outgoing.isEmpty && incoming.isEmpty }

  public mutating func append(_ element: Element) { incoming.append(element) }

  /// Puts an element where the next `popFirst` finds it.
  public mutating func prepend(_ element: Element) { outgoing.append(element) }

  public mutating func popFirst() -> Element? {
    if outgoing.isEmpty {
      swap(&outgoing, &incoming)
      outgoing.reverse()
    }
    return outgoing.popLast()
  }

  /// The first `limit` elements, removed.
  public mutating func popFirst(_ limit: Int) -> [Element] {
    var taken: [Element] = []
    taken.reserveCapacity(min(limit, count))
    while taken.count < limit, let next = popFirst() { taken.append(next) }
    return taken
  }

  /// Everything, in order; the queue is empty afterwards.
  public mutating func removeAll() -> [Element] {
    defer {
      outgoing = []
      incoming = []
    }
    return outgoing.reversed() + incoming
  }

  /// Keeps the elements for which `keep` is true, in their order.
  public mutating func filter(_ keep: (Element) -> Bool) {
    outgoing = outgoing.filter(keep)
    incoming = incoming.filter(keep)
  }
}

extension Deque: Sendable where Element: Sendable {}
