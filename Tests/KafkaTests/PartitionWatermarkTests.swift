import Testing

@testable import Kafka

@Suite struct PartitionWatermarkTests {
  /// A watermark that has received these offsets under epoch 1.
  private func receiving(_ offsets: some Sequence<Int64>) -> PartitionWatermark {
    var partition = PartitionWatermark()
    for offset in offsets { partition.receive(offset, epoch: 1) }
    return partition
  }

  @Test func thereIsNothingToCommitBeforeTheFirstRecord() {
    #expect(PartitionWatermark().watermark == nil)
  }

  @Test func completionInOrderMovesTheWatermarkRecordByRecord() {
    var partition = receiving(10..<13)
    #expect(partition.watermark == 10)
    for offset in Int64(10)..<13 {
      #expect(partition.complete(offset, epoch: 1) == true)
      #expect(partition.watermark == offset + 1)
    }
    #expect(partition.outstanding == 0)
  }

  @Test func completionOutOfOrderWaitsForTheLowest() {
    var partition = receiving(0..<5)
    for offset in [4, 2, 1] as [Int64] {
      #expect(partition.complete(offset, epoch: 1) == true)
      #expect(partition.watermark == 0)
    }
    #expect(partition.complete(0, epoch: 1) == true)
    #expect(partition.watermark == 3)
    #expect(partition.complete(3, epoch: 1) == true)
    #expect(partition.watermark == 5)
  }

  @Test func gapsLeftByCompactionAndMarkersAreStepped() {
    var partition = receiving([5, 9, 10, 100])
    #expect(partition.complete(9, epoch: 1) == true)
    #expect(partition.complete(5, epoch: 1) == true)
    #expect(partition.watermark == 10)
    #expect(partition.complete(6, epoch: 1) == false)
    #expect(partition.complete(100, epoch: 1) == true)
    #expect(partition.complete(10, epoch: 1) == true)
    #expect(partition.watermark == 101)
  }

  @Test func aCompletionCountsOnce() {
    var partition = receiving(0..<3)
    #expect(partition.complete(1, epoch: 1) == true)
    #expect(partition.complete(1, epoch: 1) == false)
    #expect(partition.outstanding == 2)
    #expect(partition.complete(0, epoch: 1) == true)
    #expect(partition.complete(0, epoch: 1) == false)
    #expect(partition.outstanding == 1)
  }

  @Test(arguments: [-1, 3, Int64.min, Int64.max])
  func offsetsThatWereNeverReceivedDoNotComplete(_ offset: Int64) {
    var partition = receiving(0..<3)
    #expect(partition.complete(offset, epoch: 1) == false)
    #expect(partition.watermark == 0)
  }

  @Test func anotherEpochDoesNotComplete() {
    var partition = receiving(0..<1)
    #expect(partition.complete(0, epoch: 2) == false)
    #expect(partition.complete(0, epoch: 1) == true)
  }

  @Test func truncationForgetsTheTailAndNeverPassesIt() {
    var partition = receiving(0..<10)
    #expect(partition.complete(8, epoch: 1) == true)
    partition.truncate(from: 4)
    #expect(partition.outstanding == 4)
    #expect(partition.complete(5, epoch: 1) == false)
    for offset in Int64(0)..<4 { #expect(partition.complete(offset, epoch: 1) == true) }
    #expect(partition.watermark == 4)
    partition.receive(4, epoch: 2)
    #expect(partition.watermark == 4)
  }

  @Test func truncationBelowTheWatermarkTakesItBack() {
    var partition = receiving(0..<10)
    for offset in Int64(0)..<10 { #expect(partition.complete(offset, epoch: 1) == true) }
    partition.truncate(from: 3)
    #expect(partition.watermark == 3 && partition.outstanding == 0)
    partition.truncate(from: 5)
    #expect(partition.watermark == 3)
  }

  /// The same operations on a model that keeps every offset in a dictionary.
  @Test(arguments: 0..<20)
  func randomOperationsAgreeWithAModel(_ seed: Int) throws {
    var generator = SplitMix(state: UInt64(seed))
    var partition = PartitionWatermark()
    var model: [Int64: Bool] = [:]
    var next: Int64 = 0
    for _ in 0..<500 {
      switch Int.random(in: 0..<100, using: &generator) {
      case ..<50:
        next += Int64.random(in: 0...9, using: &generator) == 0 ? 7 : 0
        partition.receive(next, epoch: 1)
        model[next] = false
        next += 1
      case ..<99:
        let offset = Int64.random(in: max(0, next - 60)...next, using: &generator)
        try #require(partition.complete(offset, epoch: 1) == (model[offset] == false))
        if model[offset] != nil { model[offset] = true }
      default:
        guard next > 0 else { continue }
        let cut = Int64.random(in: max(0, next - 30)..<next, using: &generator)
        partition.truncate(from: cut)
        model = model.filter { $0.key < cut }
        next = cut
      }
      let lowest = model.filter { !$0.value }.keys.min()
      try #require(partition.outstanding == model.count { !$0.value })
      if partition.next != nil { try #require(partition.watermark == lowest ?? next) }
    }
  }
}

/// A small generator with a seed, so that a failure can be repeated.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }
}
