import Testing

@testable import Kafka

@Suite struct WatermarkTrackerTests {
  private let a = TopicPartition(topic: "a", partition: 0)
  private let b = TopicPartition(topic: "b", partition: 3)

  /// Receives offsets, expecting each to be accepted; returns the epoch.
  private func receive(
    _ tracker: inout WatermarkTracker, _ partition: TopicPartition, _ offsets: Range<Int64>
  ) throws -> UInt64 {
    var epoch: UInt64 = 0
    for offset in offsets {
      guard case .accepted(let given) = tracker.receive(partition, offset: offset) else {
        throw KafkaError(kind: .other, code: 0, name: "", message: "\(partition) did not accept \(offset)")
      }
      epoch = given
    }
    return epoch
  }

  @Test func partitionsKeepWatermarksOfTheirOwn() throws {
    var tracker = WatermarkTracker()
    tracker.assign([a, b])
    let first = try receive(&tracker, a, 0..<3)
    let second = try receive(&tracker, b, 7..<9)
    #expect(first != second)
    #expect(tracker.complete(epoch: first, offset: 0) == true)
    #expect(tracker.complete(epoch: second, offset: 8) == true)
    #expect(tracker.watermark(of: a) == 1 && tracker.watermark(of: b) == 7)
    #expect(tracker.outstanding == 3)
    #expect(tracker.outstanding(in: [b]) == 1)
  }

  @Test func recordsOfForeignPartitionsAreRefused() {
    var tracker = WatermarkTracker()
    tracker.assign([a])
    #expect(tracker.receive(b, offset: 0) == .notAssigned)
    #expect(tracker.outstanding == 0)
  }

  @Test func completionsFromBeforeARevocationAreStaleEvenWhenThePartitionComesBack() throws {
    var tracker = WatermarkTracker()
    tracker.assign([a])
    let before = try receive(&tracker, a, 0..<3)
    tracker.revoke([a])
    #expect(tracker.outstanding == 0)
    #expect(tracker.complete(epoch: before, offset: 0) == false)
    tracker.assign([a])
    let after = try receive(&tracker, a, 0..<3)
    #expect(tracker.complete(epoch: before, offset: 0) == false)
    #expect(tracker.watermark(of: a) == 0)
    #expect(tracker.complete(epoch: after, offset: 0) == true)
    #expect(tracker.watermark(of: a) == 1)
  }

  @Test func assigningAnewWithoutARevocationStartsAfresh() throws {
    var tracker = WatermarkTracker()
    tracker.assign([a])
    let before = try receive(&tracker, a, 0..<3)
    tracker.assign([a])
    #expect(tracker.outstanding == 0)
    #expect(tracker.complete(epoch: before, offset: 0) == false)
    #expect(tracker.watermark(of: a) == nil)
  }

  @Test func aPartitionOnItsWayOutTakesCompletionsButNoRecords() throws {
    var tracker = WatermarkTracker()
    tracker.assign([a])
    let epoch = try receive(&tracker, a, 0..<2)
    tracker.beginRevoking([a])
    #expect(tracker.receive(a, offset: 2) == .notAssigned)
    #expect(tracker.complete(epoch: epoch, offset: 0) == true)
    #expect(tracker.uncommitted == [PartitionOffset(partition: a, offset: 1)])
  }

  @Test func onlyProgressIsCommittedAndOnlyOnce() throws {
    var tracker = WatermarkTracker()
    tracker.assign([a])
    let epoch = try receive(&tracker, a, 5..<8)
    #expect(tracker.uncommitted.isEmpty)
    #expect(tracker.complete(epoch: epoch, offset: 6) == true)
    #expect(tracker.uncommitted.isEmpty)
    #expect(tracker.complete(epoch: epoch, offset: 5) == true)
    let progress = PartitionOffset(partition: a, offset: 7)
    #expect(tracker.uncommitted == [progress])
    tracker.markCommitted(progress)
    #expect(tracker.uncommitted.isEmpty)
  }

  @Test func aLogThatGoesBackIsReadAgainUnderANewEpochAndNothingBelowIsLost() throws {
    var tracker = WatermarkTracker()
    tracker.assign([a])
    let before = try receive(&tracker, a, 0..<10)
    guard case .rewound(let after) = tracker.receive(a, offset: 4) else {
      Issue.record("offset 4 was not taken for a rewind")
      return
    }
    #expect(tracker.outstanding == 5)
    // The first delivery of what comes again no longer counts; what lies below still does.
    #expect(tracker.complete(epoch: before, offset: 4) == false)
    #expect(tracker.complete(epoch: before, offset: 7) == false)
    #expect(tracker.complete(epoch: after, offset: 4) == true)
    #expect(tracker.watermark(of: a) == 0)
    for offset in Int64(0)..<4 { #expect(tracker.complete(epoch: before, offset: offset) == true) }
    #expect(tracker.watermark(of: a) == 5)
    tracker.revoke([a])
    #expect(tracker.complete(epoch: after, offset: 4) == false)
  }

  @Test func aRewindBelowTheCommitIsCommitted() throws {
    var tracker = WatermarkTracker()
    tracker.assign([a])
    let epoch = try receive(&tracker, a, 100..<101)
    #expect(tracker.complete(epoch: epoch, offset: 100) == true)
    tracker.markCommitted(PartitionOffset(partition: a, offset: 101))
    #expect(tracker.receive(a, offset: 0) == .rewound(epoch: epoch + 1))
    #expect(tracker.uncommitted == [PartitionOffset(partition: a, offset: 0)])
  }

  @Test func placesOfRevokedPartitionsAreUsedAgain() throws {
    var tracker = WatermarkTracker()
    for _ in 0..<1000 {
      tracker.assign([a, b])
      _ = try receive(&tracker, a, 0..<1)
      tracker.revoke([a, b])
    }
    tracker.assign([a, b])
    #expect(Set([tracker.slot(of: a), tracker.slot(of: b)]) == [0, 1])
  }
}
