import BSON
import CRMCore
import CRMMessaging
import CRMStore
import Crypto
import JSON
import Kafka
import Runtime
import ServiceHost

/// Handles a batch of send jobs: permits, claim, call, tell.
///
/// The order is what keeps the promise: a send is claimed durably before its call, and told before its offset moves.
/// Killed between claim and tell, the send is neither lost nor repeated: its lease lapses and it becomes UNKNOWN.
final class Sender: Sendable {
  typealias Item = Incoming<SendJob>

  let stopping: Latch<Void>
  private let store: Store
  private let roster: VendorRoster
  private let gate: RunGate
  private let teller: OutcomeTeller
  private let tests: TestSender
  private let backoff: Backoff
  private let owner: String
  private let lease: Duration
  private let claimSeconds: Histogram
  private let callSeconds: Histogram

  init(_ context: ServiceContext, _ roster: VendorRoster) {
    let store = context.store
    self.store = store
    self.roster = roster
    stopping = Latch<Void>()
    gate = RunGate { run in try await store.runStates([run])[run] }
    let settings = context.settings
    backoff = Backoff(
      base: .milliseconds(settings[CRMSettings.retryBase]), cap: .milliseconds(settings[CRMSettings.retryCap]))
    teller = OutcomeTeller(context, backoff: backoff, stopping: stopping)
    tests = TestSender(store: store, roster: roster, teller: teller, stopping: stopping)
    owner = context.instanceID
    // A call must end well before others may judge its claim, so the last start is a vendor call's time before that.
    lease =
      .seconds(settings[CRMSettings.claimLease]) - .milliseconds(settings[CRMSettings.sendTimeout]) - .seconds(1)
    claimSeconds = context.instruments.stage("claim")
    callSeconds = context.instruments.stage("call")
  }

  @Sendable static func decode(_ record: ConsumedRecord) throws(PoisonError) -> SendJob {
    guard let value = record.value else { throw PoisonError("unreadable_record", "the record has no value") }
    let job: SendJob
    do throws(RecordError) {
      job = try SendJob.decode(value)
    } catch {
      throw PoisonError("unreadable_record", "\(error)")
    }
    if isFaulty(.oneJobInAHundredUnreadable), job.sendID.bytes.suffix(2).reduce(0, { $0 << 8 | Int($1) }) % 100 == 0 {
      throw PoisonError("seeded_fault", "this send job cannot be read, on purpose")
    }
    return job
  }

  /// Channels of one batch go side by side, and so do tests: a slow one holds up no other.
  @Sendable func handle(_ batch: [Item]) async throws -> BatchOutcome {
    var seen: Set<UUIDBytes> = []
    let unique = batch.filter { seen.insert($0.message.sendID).inserted }
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      for item in unique where item.message.isTest { tasks.addTask { try await self.tests.send(item) } }
      let sends = unique.filter { !$0.message.isTest }
      for (channel, group) in Dictionary(grouping: sends, by: \.message.channel) {
        tasks.addTask { try await self.send(group, channel: channel) }
      }
      try await tasks.waitForAll()
    }
    return .done
  }

  private func send(_ group: [Item], channel: Channel) async throws {
    let (sends, impossible) = try await pending(group, channel: channel)
    await teller.tellUnknown(impossible)
    let lines = roster.lines(of: channel)
    let plan = SendPlan.assign(sends, vendors: lines.count) { position, count in lines[position].admit(count) }
    do {
      try await putOff(plan.refused.map { ($0.send.item, $0.retryAfter + backoff.delay(attempt: 0)) })
    } catch {
      for (position, share) in plan.shares.enumerated() { lines[position].abandon(share.count) }
      throw error
    }
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      for (position, share) in plan.shares.enumerated() where !share.isEmpty {
        tasks.addTask { try await self.send(share, on: lines[position], position: position) }
      }
      try await tasks.waitForAll()
    }
  }

  /// The sends that still wait for the attempt that their job names, each with what earlier calls came to, and those that
  /// may not be called again.
  private func pending(
    _ group: [Item], channel: Channel
  ) async throws -> (sends: [PlannedSend<Item>], impossible: [(Item, SendError)]) {
    let policy = roster.policy(of: channel)
    let waiting = try await store.waitingSends(group.filter { $0.message.attempt > 1 }.map(\.message))
    var sends: [PlannedSend<Item>] = []
    var impossible: [(Item, SendError)] = []
    for item in group {
      var route = SendRoute()
      if item.message.attempt > 1 {
        guard let stored = waiting[item.message.sendID] else { continue }
        route = stored
      }
      switch policy.destination(route) {
      case .prefer(let position):
        sends.append(PlannedSend(item: item, route: route, position: position, isTied: false))
      case .only(let position):
        sends.append(PlannedSend(item: item, route: route, position: position, isTied: true))
      case .none(let error): impossible.append((item, error))
      }
    }
    return (sends, impossible)
  }

  /// Sends that nobody may make now wait in the store, not in the consumer, so that others go on.
  private func putOff(_ items: [(Item, Duration)]) async throws {
    let now = store.clock.now()
    try await store.deferQueued(
      items.map { item, wait in Retry(sendID: item.message.sendID, notBefore: now.advanced(by: wait)) })
  }

  /// Makes admitted sends of one vendor as the rate limit lets them.
  private func send(_ share: [PlannedSend<Item>], on line: VendorLine, position: Int) async throws {
    var rest = share[...]
    do {
      while !rest.isEmpty {
        switch try await line.turn(rest.count) {
        case .later(let waits):
          try await putOff(zip(rest, waits).map { ($0.item, $1) })
          line.abandon(rest.count)
          return
        case .go(let count, let wait, let expires):
          try await stopping.pause(wait)
          let now = Array(rest.prefix(count))
          rest = rest.dropFirst(count)
          do {
            try await claimAndCall(now, on: line, position: position, slotExpires: expires)
          } catch {
            line.abandon(now.count)
            throw error
          }
        }
      }
    } catch {
      line.abandon(rest.count)
      throw error
    }
  }

  private func claimAndCall(
    _ group: [PlannedSend<Item>], on line: VendorLine, position: Int, slotExpires: ContinuousClock.Instant?
  ) async throws {
    let began = ContinuousClock.now
    let claims = try await store.claim(group.map(\.item.message), owner: owner, vendor: line.vendor.name)
    claimSeconds.observe(began.duration(to: .now))
    let ours = group.filter { claims.claimed.contains($0.item.message.sendID) }
    guard !ours.isEmpty else { return line.abandon(group.count) }
    let unreachable: [ObjectID: SendError]
    do {
      unreachable = try await store.unreachable(Set(ours.map(\.item.message.leadID)), on: line.channel)
    } catch {
      await teller.release(ours.map(\.item), fence: claims.fence)
      throw error
    }
    let reachable = ours.filter { unreachable[$0.item.message.leadID] == nil }
    line.abandon(group.count - reachable.count)
    failpoint(.claimCommitted)
    let lastStart = min(began + lease, slotExpires ?? began + lease)
    let called = ContinuousClock.now
    let outcomes = await withTaskGroup(of: (PlannedSend<Item>, VendorOutcome?).self) { tasks in
      for send in reachable {
        tasks.addTask { [self] in
          let job = send.item.message
          return (send, await line.call(job) { await mayCall(job, until: lastStart) })
        }
      }
      return await tasks.reduce(into: []) { $0.append($1) }
    }
    callSeconds.observe(called.duration(to: .now))
    let skipped = ours.compactMap { send in unreachable[send.item.message.leadID].map { (send.item, $0) } }
    await teller.conclude(
      outcomes, skipped, vendors: roster.lines(of: line.channel).map(\.vendor.name), position: position,
      roster.policy(of: line.channel), fence: claims.fence)
  }

  /// The last question before a call: not stopping, neither claim nor rate slot too old, and the run may still send.
  private func mayCall(_ job: SendJob, until lastStart: ContinuousClock.Instant) async -> Bool {
    guard stopping.value == nil, ContinuousClock.now < lastStart, await gate.allows(job.runID) else { return false }
    return ContinuousClock.now < lastStart
  }
}

extension Latch where Value == Void {
  /// Waits in short steps, until the time has passed or the latch is set.
  ///
  /// - Throws: `CancellationError` when it is set: the process stops.
  func pause(_ wait: Duration) async throws {
    let until = ContinuousClock.now + wait
    while true {
      if value != nil { throw CancellationError() }
      let left = ContinuousClock.now.duration(to: until)
      if left <= .zero { return }
      try await Task.sleep(for: min(left, .milliseconds(200)))
    }
  }
}
