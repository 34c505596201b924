import Synchronization

/// Hands each transaction of a process a counter slot of its own.
///
/// Two transactions that add to one document conflict, and one of them runs again. Within a process that never happens;
/// between processes it is a matter of chance, since each begins elsewhere.
final class StatsSlots: Sendable {
  private let free: Mutex<[Int]>

  init(count: Int = RunStats.slots) { free = Mutex(Array(0..<count).shuffled()) }

  /// A slot that no other transaction of this process uses now; a random one when all are in use.
  func take() -> Int { free.withLock { $0.popLast() } ?? Int.random(in: 0..<RunStats.slots) }

  /// Gives a slot back; the most recently used one is taken next, so that few documents come to be.
  func give(_ slot: Int) { free.withLock { if !$0.contains(slot) { $0.append(slot) } } }
}
