import Testing

@testable import Kafka

@Suite struct ConsumerStateTests {
  private typealias State = ConsumerState<String>
  private let now = ContinuousClock.now

  private func records(_ numbers: Range<Int>, partition: Int32 = 0, bytes: Int = 1) -> [ConsumedRecord] {
    numbers.map {
      ConsumedRecord(
        topic: "t", partition: partition, offset: Int64($0), epoch: 0, key: nil,
        value: Array(repeating: 0, count: bytes))
    }
  }

  private func running(highWater: Int = 100, highWaterBytes: Int = 1000) -> State {
    var state = State(highWater: highWater, highWaterBytes: highWaterBytes)
    _ = state.start()
    state.assign([TopicPartition(topic: "t", partition: 0), TopicPartition(topic: "t", partition: 1)])
    return state
  }

  /// Who is resumed, with how many records (-1 for "closed").
  private func summary(_ handovers: [State.Handover]) -> [String] {
    handovers.map { "\($0.continuation):\($0.records?.count ?? -1)" }
  }

  private func wait(
    _ state: inout State, _ name: String, max: Int = 10, for limit: Duration = .seconds(1), linger: Duration = .zero
  ) -> (id: UInt64, resumed: [String]) {
    let id = state.newID()
    let handovers = state.wait(id, max: max, until: now + limit, linger: linger, now: now, name)
    return (id, summary(handovers))
  }

  @Test func waitersAreServedInTurn() {
    var state = running()
    #expect(wait(&state, "one", max: 2).resumed == [])
    #expect(wait(&state, "two", max: 2).resumed == [])
    #expect(wait(&state, "three").resumed == [])
    #expect(summary(state.receive(records(0..<3), now: now)) == ["one:2", "two:1"])
    #expect(summary(state.receive(records(3..<5), now: now)) == ["three:2"])
  }

  @Test func aRecordIsNotTakenPastThoseWhoWait() {
    var state = running()
    #expect(wait(&state, "one", max: 5, linger: .milliseconds(100)).resumed == [])
    #expect(summary(state.receive(records(0..<3), now: now)) == [])
    #expect(state.take(max: 1, linger: .zero) == nil)
    #expect(summary(state.serveWaiters(now: now + .milliseconds(100))) == ["one:3"])
  }

  @Test func nothingIsHandedOutWhileItIsHeldBack() {
    var state = running()
    _ = wait(&state, "lingering", max: 5, linger: .milliseconds(100))
    _ = state.receive(records(0..<2), now: now)
    #expect(summary(state.holdBack(true, now: now)) == [])
    #expect(summary(state.serveWaiters(now: now + .milliseconds(100))) == ["lingering:0"])
    #expect(state.take(max: 1, linger: .zero) == nil)
    #expect(wait(&state, "next", max: 1).resumed == [])
    #expect(summary(state.holdBack(false, now: now)) == ["next:1"])
    #expect(state.take(max: 5, linger: .zero)?.count == 1)
  }

  @Test func aWaitEndsAtItsDeadline() {
    var state = running()
    _ = wait(&state, "short", for: .milliseconds(10))
    _ = wait(&state, "long", for: .seconds(10))
    #expect(state.nextDeadline == now + .milliseconds(10))
    #expect(summary(state.serveWaiters(now: now + .milliseconds(9))) == [])
    #expect(summary(state.serveWaiters(now: now + .milliseconds(10))) == ["short:0"])
    #expect(state.nextDeadline == now + .seconds(10))
  }

  @Test func aLingerEndsWithAFullBatchOrItsTime() {
    var state = running()
    _ = wait(&state, "full", max: 3, linger: .seconds(5))
    #expect(summary(state.receive(records(0..<2), now: now)) == [])
    #expect(state.nextDeadline == now + .seconds(5))
    #expect(summary(state.receive(records(2..<4), now: now)) == ["full:3"])
    _ = wait(&state, "late", max: 3, for: .milliseconds(1), linger: .milliseconds(20))
    // There is a record already: the linger counts, not the wait.
    #expect(summary(state.serveWaiters(now: now + .milliseconds(19))) == [])
    #expect(summary(state.serveWaiters(now: now + .milliseconds(20))) == ["late:1"])
  }

  @Test func cancellingALingerFreesTheRecordsForTheNext() {
    var state = running()
    let first = wait(&state, "first", max: 3, linger: .seconds(5))
    _ = wait(&state, "second", max: 3)
    #expect(summary(state.receive(records(0..<2), now: now)) == [])
    #expect(summary(state.cancel(first.id, now: now)) == ["first:0", "second:2"])
  }

  @Test func aCancellationBeforeTheWaitEndsItAtOnce() {
    var state = running()
    let id = state.newID()
    #expect(summary(state.cancel(id, now: now)) == [])
    #expect(summary(state.wait(id, max: 1, until: now + .seconds(1), linger: .zero, now: now, "late")) == ["late:0"])
  }

  @Test func closingReleasesEveryoneAndForgetsWhatWasNotHandedOut() {
    var state = running()
    _ = state.receive(records(0..<5), now: now)
    let taken = state.take(max: 2, linger: .zero) ?? []
    #expect(summary(state.beginClosing()) == [])
    #expect(state.tracker.outstanding == 2)
    #expect(wait(&state, "late").resumed == ["late:-1"])
    #expect(summary(state.receive(records(5..<6), now: now)) == [])
    #expect(state.complete(taken.map(\.position)) == 2)
    #expect(
      state.tracker.uncommitted == [PartitionOffset(partition: TopicPartition(topic: "t", partition: 0), offset: 2)])
    #expect(summary(state.finishClosing()) == [])
    #expect(state.start() == false)
  }

  @Test func aRevocationDropsOnlyItsOwnQueuedRecords() {
    var state = running()
    let leaving = TopicPartition(topic: "t", partition: 0)
    _ = state.receive(records(0..<4) + records(0..<4, partition: 1), now: now)
    let taken = state.take(max: 1, linger: .zero) ?? []
    state.beginRevoking([leaving])
    #expect(state.tracker.outstanding(in: [leaving]) == 1)
    #expect(state.snapshot.queued == 4)
    #expect(state.complete(taken.map(\.position)) == 1)
    #expect(state.tracker.watermark(of: leaving) == 1)
    state.finishRevoking([leaving])
    #expect(state.complete(taken.map(\.position)) == 0)
    #expect(state.snapshot.staleCompletions == 1)
    #expect(state.take(max: 10, linger: .zero)?.map(\.partition) == [1, 1, 1, 1])
  }

  @Test func aRewindReplacesTheQueuedRecords() {
    var state = running()
    _ = state.receive(records(0..<6), now: now)
    _ = state.receive(records(3..<5), now: now)
    let taken = state.take(max: 10, linger: .zero) ?? []
    #expect(taken.map(\.offset) == [0, 1, 2, 3, 4])
    #expect(state.complete(taken.map(\.position)) == 5)
    #expect(state.tracker.outstanding == 0)
  }

  @Test func intakeStopsByCountOrBytesAndResumesLower() {
    var state = running(highWater: 8)
    _ = state.receive(records(0..<8), now: now)
    #expect(state.capacity <= 0 && !state.mayResume)
    let taken = state.take(max: 8, linger: .zero) ?? []
    #expect(state.complete(taken.prefix(1).map(\.position)) == 1)
    #expect(state.capacity == 1 && !state.mayResume)
    #expect(state.complete(taken.prefix(2).map(\.position)) == 1)
    #expect(state.mayResume)

    var heavy = running(highWaterBytes: 1000)
    _ = heavy.receive(records(0..<2, bytes: 600), now: now)
    #expect(heavy.capacity <= 0)
    _ = heavy.take(max: 1, linger: .zero)
    #expect(heavy.capacity > 0 && heavy.mayResume)
  }
}
