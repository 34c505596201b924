/// What is under way in one partition, and the offset up to which everything is done.
///
/// Offsets arrive in order, but with gaps: compaction removes records, transactions leave markers. They complete in any
/// order. The watermark is the offset to commit: every record below it has been completed.
struct PartitionWatermark: Sendable {
  private struct Entry {
    let offset: Int64
    let epoch: UInt64
    var completed = false
  }

  /// Received records in the order of their offsets; those before `head` are done with and await compaction.
  private var entries: [Entry] = []
  private var head = 0

  /// The offset after the last one received.
  private(set) var next: Int64?
  /// Records received and not completed.
  private(set) var outstanding = 0

  /// The offset to commit; nil before the first record.
  var watermark: Int64? { head < entries.count ? entries[head].offset : next }

  /// Takes note of a record that has been read. Its offset must not be below `next`: truncate first.
  mutating func receive(_ offset: Int64, epoch: UInt64) {
    assert(next.map { offset >= $0 } ?? true, "offsets arrive in order")
    entries.append(Entry(offset: offset, epoch: epoch))
    outstanding += 1
    next = offset + 1
  }

  /// Completes a record; false when it is not outstanding under that epoch.
  mutating func complete(_ offset: Int64, epoch: UInt64) -> Bool {
    guard let index = index(of: offset), entries[index].epoch == epoch, !entries[index].completed else { return false }
    entries[index].completed = true
    outstanding -= 1
    if index == head { advance() }
    return true
  }

  /// Forgets the records from `offset` on, as if they had not been received.
  mutating func truncate(from offset: Int64) {
    guard let next, offset < next else { return }
    let keep = max(head, firstIndex(notBelow: offset))
    outstanding -= entries[keep...].count { !$0.completed }
    entries.removeSubrange(keep...)
    self.next = offset
  }

  private mutating func advance() {
    while head < entries.count, entries[head].completed { head += 1 }
    // Halving keeps the cost per record constant and the memory proportional to what is under way.
    if head == entries.count {
      entries.removeAll(keepingCapacity: entries.capacity <= 4096)
      head = 0
    } else if head > 1024, head > entries.count / 2 {
      entries.removeSubrange(..<head)
      head = 0
    }
  }

  private func index(of offset: Int64) -> Int? {
    guard head < entries.count else { return nil }
    // Without gaps the place is known.
    let guess = offset.subtractingReportingOverflow(entries[head].offset)
    guard !guess.overflow, guess.partialValue >= 0 else { return nil }
    if guess.partialValue < Int64(entries.count - head) {
      let index = head + Int(guess.partialValue)
      if entries[index].offset == offset { return index }
    }
    let index = firstIndex(notBelow: offset)
    return index < entries.count && entries[index].offset == offset ? index : nil
  }

  private func firstIndex(notBelow offset: Int64) -> Int {
    var low = head
    var high = entries.count
    while low < high {
      let middle = low + (high - low) / 2
      if entries[middle].offset < offset { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
