import Runtime

/// Receipts that wait for their time, sixteen bytes each: a binary heap by due time. Pure.
struct ReceiptQueue: Sendable {
  struct Entry: Sendable, Equatable {
    /// Milliseconds on the dispatcher's clock.
    var due: UInt32
    /// Deliveries tried before.
    var attempt: UInt32
    let id: VendorMessageID
  }

  private var heap: [Entry] = []

  var count: Int { heap.count }

  /// When the next entry is due.
  var nextDue: UInt32? { heap.first?.due }

  mutating func push(_ entry: Entry) {
    heap.append(entry)
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard heap[child].due < heap[parent].due else { return }
      heap.swapAt(child, parent)
      child = parent
    }
  }

  /// Removes the entry that is due first, unless it is due later than `now`.
  mutating func pop(dueBy now: UInt32) -> Entry? {
    guard let first = heap.first, first.due <= now else { return nil }
    let last = heap.removeLast()
    guard !heap.isEmpty else { return first }
    heap[0] = last
    var parent = 0
    while true {
      var child = 2 * parent + 1
      guard child < heap.count else { break }
      if child + 1 < heap.count, heap[child + 1].due < heap[child].due { child += 1 }
      guard heap[child].due < heap[parent].due else { break }
      heap.swapAt(child, parent)
      parent = child
    }
    return first
  }
}

/// Breakers of the addresses that receipts go to, so that one that is down costs a probe now and then instead of a
/// call a receipt. Pure.
struct Destinations: Sendable {
  private var breakers: [String: Breaker] = [:]
  /// Addresses watched at most; callback addresses come from outside. Those beyond are called without a breaker.
  private static let limit = 256

  static let configuration = Breaker.Configuration(
    window: .seconds(10), minimumCalls: 10, failureRatio: 0.5, openFor: .milliseconds(500), probes: 2)

  /// - Returns: how long to wait instead of calling; nil to call.
  mutating func admit(_ address: String, now: ContinuousClock.Instant) -> Duration? {
    if breakers[address] == nil {
      if breakers.count >= Destinations.limit { breakers = breakers.filter { $0.value.state != .closed } }
      guard breakers.count < Destinations.limit else { return nil }
      breakers[address] = Breaker(Destinations.configuration, now: now)
    }
    switch breakers[address]?.admit(now: now) {
    case .refuse(let wait)?: return wait
    case .call?, nil: return nil
    }
  }

  mutating func record(_ address: String, success: Bool, now: ContinuousClock.Instant) {
    breakers[address]?.record(success: success, now: now)
  }
}
