/// The watermarks of all partitions a consumer owns.
///
/// Every assignment of a partition gets an epoch of its own, unique within the consumer; a completion finds its
/// partition by it. After a revocation the epoch is unknown, so late completions fall on the floor, also when the same
/// partition comes back.
struct WatermarkTracker: Sendable {
  /// What became of a record that has been read.
  enum Reception: Equatable {
    /// Under way, under this epoch.
    case accepted(epoch: UInt64)
    /// The partition's log went back to an offset seen before: what was received from there on is forgotten, and comes
    /// again under this epoch.
    case rewound(epoch: UInt64)
    /// The partition is not ours (any more): drop the record.
    case notAssigned
  }

  private struct Partition {
    let id: TopicPartition
    /// The first is the assignment's; each rewind adds one.
    var epochs: [UInt64]
    var records = PartitionWatermark()
    /// What the group's coordinator is known to hold, or need not be told.
    var committed: Int64?
    var revoking = false

    var epoch: UInt64 { epochs[epochs.count - 1] }
  }

  private var slots: [Partition?] = []
  private var slotOfPartition: [TopicPartition: Int] = [:]
  private var slotOfEpoch: [UInt64: Int] = [:]
  private var lastEpoch: UInt64 = 0

  /// Records received and not completed, in all partitions.
  private(set) var outstanding = 0

  var assigned: [TopicPartition] { slotOfPartition.keys.sorted() }
  var assignedCount: Int { slotOfPartition.count }

  func isAssigned(_ partition: TopicPartition) -> Bool { slotOfPartition[partition] != nil }

  /// Takes partitions over. One that is ours already starts afresh: its outstanding records become stale.
  mutating func assign(_ partitions: some Sequence<TopicPartition>) {
    for partition in partitions {
      revoke([partition])
      lastEpoch += 1
      let slot = slots.firstIndex { $0 == nil } ?? slots.count
      if slot == slots.count { slots.append(nil) }
      slots[slot] = Partition(id: partition, epochs: [lastEpoch])
      slotOfPartition[partition] = slot
      slotOfEpoch[lastEpoch] = slot
    }
  }

  /// Lets go of partitions: their epochs end.
  mutating func revoke(_ partitions: some Sequence<TopicPartition>) {
    for partition in partitions {
      guard let slot = slotOfPartition.removeValue(forKey: partition), let old = slots[slot] else { continue }
      for epoch in old.epochs { slotOfEpoch[epoch] = nil }
      outstanding -= old.records.outstanding
      slots[slot] = nil
    }
  }

  /// Ends the intake of partitions that are about to go; completions still count.
  mutating func beginRevoking(_ partitions: some Sequence<TopicPartition>) {
    for partition in partitions {
      if let slot = slotOfPartition[partition] { slots[slot]?.revoking = true }
    }
  }

  mutating func receive(_ partition: TopicPartition, offset: Int64) -> Reception {
    guard let slot = slotOfPartition[partition] else { return .notAssigned }
    return receive(slot: slot, offset: offset)
  }

  /// The place of a partition, for a run of records from it; valid until the assignment changes.
  func slot(of partition: TopicPartition) -> Int? { slotOfPartition[partition] }

  mutating func receive(slot: Int, offset: Int64) -> Reception {
    guard slots[slot]?.revoking == false else { return .notAssigned }
    var rewound = false
    if let next = slots[slot]?.records.next, offset < next {
      rewound = true
      truncate(slot: slot, from: offset)
      // What was handed out before may still complete under its old epoch; these offsets no longer answer to it.
      lastEpoch += 1
      slots[slot]?.epochs.append(lastEpoch)
      slotOfEpoch[lastEpoch] = slot
    }
    guard let epoch = slots[slot]?.epoch else { return .notAssigned }
    slots[slot]?.records.receive(offset, epoch: epoch)
    // Whatever was committed before, the group resumes at or below the first record read: no need to say so.
    if slots[slot]?.committed == nil { slots[slot]?.committed = offset }
    outstanding += 1
    return rewound ? .rewound(epoch: epoch) : .accepted(epoch: epoch)
  }

  /// False when the record is not outstanding under its epoch: stale, unknown, or completed before.
  mutating func complete(epoch: UInt64, offset: Int64) -> Bool {
    guard let slot = slotOfEpoch[epoch] else { return false }
    guard slots[slot]?.records.complete(offset, epoch: epoch) == true else { return false }
    outstanding -= 1
    return true
  }

  /// Forgets what was received from `offset` on.
  mutating func truncate(_ partition: TopicPartition, from offset: Int64) {
    if let slot = slotOfPartition[partition] { truncate(slot: slot, from: offset) }
  }

  private mutating func truncate(slot: Int, from offset: Int64) {
    let before = slots[slot]?.records.outstanding ?? 0
    slots[slot]?.records.truncate(from: offset)
    outstanding -= before - (slots[slot]?.records.outstanding ?? 0)
  }

  /// Outstanding records of these partitions.
  func outstanding(in partitions: some Sequence<TopicPartition>) -> Int {
    partitions.reduce(0) { sum, partition in
      sum + (slotOfPartition[partition].flatMap { slots[$0]?.records.outstanding } ?? 0)
    }
  }

  /// The offset to commit next for a partition; nil before the first record.
  func watermark(of partition: TopicPartition) -> Int64? {
    slotOfPartition[partition].flatMap { slots[$0]?.records.watermark }
  }

  /// Watermarks the coordinator does not hold yet.
  var uncommitted: [PartitionOffset] {
    slots.compactMap { partition in
      guard let partition, let watermark = partition.records.watermark, watermark != partition.committed else {
        return nil
      }
      return PartitionOffset(partition: partition.id, offset: watermark)
    }
  }

  /// The coordinator has accepted an offset. Only for a commit sent under the partition's present assignment.
  mutating func markCommitted(_ offset: PartitionOffset) {
    if let slot = slotOfPartition[offset.partition] { slots[slot]?.committed = offset.offset }
  }
}
