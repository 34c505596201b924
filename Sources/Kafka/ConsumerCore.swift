import CRdKafka
import Foundation
import Runtime
import Synchronization

/// What the consumer's thread and the tasks that use the consumer share.
final class ConsumerCore: Sendable {
  typealias State = ConsumerState<CheckedContinuation<[ConsumedRecord]?, Never>>

  private struct Control {
    var paused = false
    /// Set once: when the drain of a closing consumer has to end.
    var drainDeadline: ContinuousClock.Instant?
    var lagRequests: [CheckedContinuation<[PartitionLag], Never>] = []
    /// The client's queue while the thread polls it; yielding it ends the poll.
    var queue: ClientHandle?
    /// When the thread looks at the waiters next without being woken.
    var nextLook = ContinuousClock.now
    /// The thread waits for completions rather than for the broker.
    var awaitsCompletions = false
  }

  let configuration: KafkaConsumerConfiguration
  let context: ClientContext
  let closed = Latch<Void>()
  private let state: Mutex<State>
  private let control = Mutex(Control())
  private let completions = DispatchSemaphore(value: 0)

  init(_ configuration: KafkaConsumerConfiguration, log: @escaping KafkaLogHandler) {
    self.configuration = configuration
    context = ClientContext(log: log)
    state = Mutex(State(highWater: configuration.highWater, highWaterBytes: configuration.highWaterBytes))
  }

  func start() throws(KafkaError) {
    guard state.withLock({ $0.start() }) else {
      if state.withLock({ $0.life != .running }) { throw .closed("consumer") }
      return
    }
    do {
      let client = try configuration.settings.makeClient(RD_KAFKA_CONSUMER, context: context)
      rd_kafka_poll_set_consumer(client.pointer)
      _ = OwnedThread.start(name: "kafka-consumer") { [self] in
        ConsumerLoop(client: client, core: self).run()
        finish()
      }
    } catch {
      finish()
      throw error
    }
  }

  /// Runs `body` under the lock, then resumes whom it returns.
  func resuming(_ body: (inout State) -> [State.Handover]) {
    let handovers = state.withLock { body(&$0) }
    for handover in handovers { handover.continuation.resume(returning: handover.records) }
  }

  func withState<T: Sendable>(_ body: (inout State) -> T) -> T { state.withLock { body(&$0) } }

  // MARK: For tasks

  func nextBatch(max: Int, wait: Duration, linger: Duration) async -> [ConsumedRecord]? {
    if Task.isCancelled { return [] }
    let (ready, id) = state.withLock { ($0.take(max: max, linger: linger), $0.newID()) }
    if let ready { return ready }
    let now = ContinuousClock.now
    let deadline = now + wait
    let records = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        resuming { $0.wait(id, max: max, until: deadline, linger: linger, now: now, continuation) }
        look(by: linger > .zero ? min(deadline, now + linger) : deadline)
      }
    } onCancel: {
      resuming { $0.cancel(id, now: .now) }
    }
    if Task.isCancelled { state.withLock { $0.forget(id) } }
    return records
  }

  func complete(_ positions: some Sequence<RecordPosition>) {
    let completed = state.withLock { $0.complete(positions) }
    guard completed > 0 else { return }
    let awaited = control.withLock { control in
      defer { control.awaitsCompletions = false }
      return control.awaitsCompletions
    }
    if awaited { completions.signal() }
  }

  var isPaused: Bool { control.withLock { $0.paused } }

  func setPaused(_ paused: Bool) {
    control.withLock { $0.paused = paused }
    resuming { $0.holdBack(paused, now: .now) }
    wake()
  }

  func lag() async -> [PartitionLag] {
    await withCheckedContinuation { continuation in
      let running = state.withLock { $0.life == .running }
      // Under the lock that the end of the thread takes too, so that no request is left over.
      let accepted = control.withLock { control in
        guard running, control.drainDeadline == nil else { return false }
        control.lagRequests.append(continuation)
        return true
      }
      if accepted { wake() } else { continuation.resume(returning: []) }
    }
  }

  func requestClose(drain: Duration) {
    let first = control.withLock { control in
      guard control.drainDeadline == nil else { return false }
      control.drainDeadline = .now + drain
      return true
    }
    guard first else { return }
    let started = state.withLock { $0.life == .running }
    resuming { $0.beginClosing() }
    if started { wake() } else { finish() }
  }

  /// Ends whatever wait the thread is in: for completions, or for the broker. A yield before the poll begins ends that
  /// poll, so none is missed.
  private func wake() {
    let awaited = control.withLock { control in
      defer { control.awaitsCompletions = false }
      if !control.awaitsCompletions, let queue = control.queue { rd_kafka_queue_yield(queue.pointer) }
      return control.awaitsCompletions
    }
    if awaited { completions.signal() }
  }

  private func look(by deadline: ContinuousClock.Instant) {
    if control.withLock({ deadline < $0.nextLook }) { wake() }
  }

  private func finish() {
    resuming { $0.finishClosing() }
    let requests = control.withLock { control in
      if control.drainDeadline == nil { control.drainDeadline = .now }
      defer { control.lagRequests = [] }
      return control.lagRequests
    }
    for request in requests { request.resume(returning: []) }
    closed.set(())
  }

  // MARK: For the thread

  var drainDeadline: ContinuousClock.Instant? { control.withLock { $0.drainDeadline } }

  func setQueue(_ queue: ClientHandle?) { control.withLock { $0.queue = queue } }

  func takeLagRequests() -> [CheckedContinuation<[PartitionLag], Never>] {
    control.withLock { control in
      defer { control.lagRequests = [] }
      return control.lagRequests
    }
  }

  /// How long the thread may wait: at most until `limit`, or until a waiter's time is up.
  func planWait(until limit: ContinuousClock.Instant) -> Duration {
    // Announced before the waiters are read: one that comes in between sees the plan and wakes the thread.
    control.withLock { $0.nextLook = limit }
    let deadline = min(limit, state.withLock { $0.nextDeadline } ?? limit)
    control.withLock { $0.nextLook = deadline }
    return max(.zero, deadline - .now)
  }

  /// Waits for `done`, woken by completions, until `limit`. Waiting tasks are served meanwhile.
  func awaitCompletions(until limit: ContinuousClock.Instant, _ done: (State) -> Bool) -> Bool {
    // Afterwards whoever wakes the thread has to end a poll again.
    defer { control.withLock { $0.awaitsCompletions = false } }
    while true {
      control.withLock { $0.awaitsCompletions = true }
      if state.withLock({ done($0) }) { return true }
      let wait = planWait(until: limit)
      resuming { $0.serveWaiters(now: .now) }
      guard ContinuousClock.now < limit else { return false }
      _ = completions.wait(timeout: .now() + .milliseconds(Int(max(1, wait.wholeMilliseconds))))
    }
  }
}
