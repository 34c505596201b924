import CRMMessaging
import CivilTime
import Foundation
import HTTP
import JSON
import Runtime
import Synchronization

/// Posts receipts when they are due, one a request, and tries again until they are taken or a day has passed.
///
/// One thread waits for due times and reads the ledger; each delivery is a task. What waits costs sixteen bytes a
/// receipt, and everything else is read from the ledger when a receipt's time has come.
final class ReceiptDispatcher: Service {
  private struct State {
    var queue = ReceiptQueue()
    var destinations = Destinations()
    var inFlight = 0
    var stopping = false
    /// What the thread waits for: a due time, or a free place among the deliveries.
    var sleepsUntil: UInt32?
    var waitsForPlace = false
  }

  /// What to do after an attempt.
  private enum Outcome: String, CaseIterable {
    case delivered
    /// The receiver will never take it.
    case refused
    case retry
    case expired
  }

  let name = "receipts"
  private let ledger: Ledger
  private let client: HTTPClient
  private let webhook: StandardWebhook
  private let address: String
  private let concurrency: Int
  private let clock: any WallClock
  private let log: Logger
  private let dropped: Counter
  private let counters: [Outcome: Counter]
  private let state = Mutex(State())
  private let wake = DispatchSemaphore(value: 0)
  private let idle = Latch<Void>()
  private let origin = ContinuousClock.now
  private let thread = Mutex<OwnedThread?>(nil)

  private static let backoff = Backoff(base: .milliseconds(250), cap: .seconds(15))
  private static let giveUpAfter = Duration.seconds(86_400)
  /// Refused receipts looked at again in a millisecond, about.
  private static let looksPerMillisecond = 20
  /// Due times within this many milliseconds are served together.
  private static let tick: UInt32 = 2

  /// - Parameters:
  ///   - address: where receipts of messages without a callback go.
  ///   - concurrency: deliveries under way at once.
  init(
    ledger: Ledger, client: HTTPClient, webhook: StandardWebhook, address: String, concurrency: Int,
    clock: any WallClock, log: Logger, metrics: SimulatorMetrics, registry: MetricsRegistry
  ) {
    self.ledger = ledger
    self.client = client
    self.webhook = webhook
    self.address = address
    self.concurrency = concurrency
    self.clock = clock
    self.log = log
    dropped = metrics.receipts.labels("dropped")
    counters = Dictionary(
      uniqueKeysWithValues: Outcome.allCases.map { ($0, metrics.receipts.labels($0.rawValue)) })
    ledger.onAccepted { [weak self] messages in self?.schedule(messages) }
    registry.gauge("minicrm_vendor_receipts_waiting", help: "Receipts that are not due, or are to be tried again.") {
      [weak self] in Double(self?.state.withLock { $0.queue.count } ?? 0)
    }
  }

  /// Takes up the receipts that a stop or a crash left, and begins to deliver.
  func start() async throws {
    var last: UInt32 = 0
    var left = 0
    while true {
      let page = ledger.unreported(after: &last, limit: 1000)
      if page.isEmpty { break }
      left += page.count
      // When each is due stands in the ledger, and is looked at as its turn comes.
      let now = self.now
      state.withLock { state in
        for id in page { state.queue.push(.init(due: now, attempt: 0, id: id)) }
      }
    }
    if left > 0 { log.info("receipts from before the start are delivered now", [LogKey.count: .int(Int64(left))]) }
    thread.withLock { $0 = OwnedThread.start(name: "receipts") { [self] in run() } }
  }

  /// Lets deliveries under way end. What has not been delivered is taken up by the next start.
  func stop(grace: Duration) async {
    let busy = state.withLock { state in
      state.stopping = true
      return state.inFlight > 0
    }
    wake.signal()
    await thread.withLock { $0 }?.joined()
    if busy {
      try? await withDeadline(min(grace, .seconds(10)), "receipts under way") { [idle] in _ = await idle.wait() }
    }
    await client.close()
  }

  /// Sends a receipt and returns after the first attempt. One that fails is tried again like any other.
  func deliverNow(_ id: VendorMessageID) async {
    guard
      state.withLock({ state in
        if state.stopping { return false }
        state.inFlight += 1
        return true
      })
    else { return }
    guard let found = try? await ledger.readEntry(id) else { return finished(nil) }
    let receipt = Receipt(id, found, defaultAddress: address)
    let entry = ReceiptQueue.Entry(due: now, attempt: 0, id: id)
    if admit(receipt, entry) { await deliver(receipt, entry) }
  }

  // MARK: Scheduling

  /// Milliseconds since this process began; enough for 49 days, after which receipts are due at once.
  private var now: UInt32 { UInt32(clamping: origin.duration(to: .now).wholeMilliseconds) }

  private func schedule(_ messages: [AcceptedMessage]) {
    let now = self.now
    let wallNow = clock.now()
    var entries: [ReceiptQueue.Entry] = []
    var dropped: [VendorMessageID] = []
    for message in messages {
      guard let plan = message.plan else { continue }
      if plan.due.isEmpty { dropped.append(message.id) }
      for time in plan.early ? plan.due.dropFirst() : plan.due[...] {
        let wait = UInt32(clamping: max(.zero, time.since(wallNow)).wholeMilliseconds)
        entries.append(.init(due: now &+ wait, attempt: 0, id: message.id))
      }
    }
    if !dropped.isEmpty {
      self.dropped.add(dropped.count)
      ledger.markReported(dropped)
    }
    push(entries)
  }

  private func push(_ entries: [ReceiptQueue.Entry]) {
    guard !entries.isEmpty else { return }
    let wakes = state.withLock { state in
      for entry in entries { state.queue.push(entry) }
      guard let next = state.queue.nextDue, let until = state.sleepsUntil, next < until else { return false }
      state.sleepsUntil = nil
      return true
    }
    if wakes { wake.signal() }
  }

  // MARK: The thread

  private func run() {
    while true {
      let now = self.now
      let (due, wait, stopping): ([ReceiptQueue.Entry], UInt32?, Bool) = state.withLock { state in
        var due: [ReceiptQueue.Entry] = []
        if state.stopping { return ([], nil, true) }
        while state.inFlight < concurrency, let entry = state.queue.pop(dueBy: now) {
          state.inFlight += 1
          due.append(entry)
        }
        if !due.isEmpty { return (due, nil, false) }
        state.waitsForPlace = state.inFlight >= concurrency
        let next = state.waitsForPlace ? nil : state.queue.nextDue
        state.sleepsUntil = state.waitsForPlace ? nil : next ?? UInt32.max
        return ([], next.map { max($0 &- now, ReceiptDispatcher.tick) }, false)
      }
      if stopping { return }
      for entry in due { begin(entry) }
      if !due.isEmpty { continue }
      if let wait {
        _ = wake.wait(timeout: .now() + .milliseconds(Int(wait)))
      } else {
        wake.wait()
      }
    }
  }

  /// Starts the delivery of an entry for which a place has been taken.
  private func begin(_ entry: ReceiptQueue.Entry) {
    let found: LedgerEntry?
    do throws(FileError) {
      found = try ledger.entry(entry.id)
    } catch {
      log.error("a receipt could not be read", [LogKey.error: .string("\(error)")])
      return again(entry, after: ReceiptDispatcher.backoff.cap)
    }
    guard let found else { return finished(nil) }  // the ledger has been reset
    guard let due = found.plan.due.first else {
      ledger.markReported([entry.id])
      return finished(nil)
    }
    let early = due.since(clock.now())
    if entry.attempt == 0, early > .milliseconds(10) { return again(entry, after: early) }
    let receipt = Receipt(entry.id, found, defaultAddress: address)
    if admit(receipt, entry) { Task { await deliver(receipt, entry) } }
  }

  /// Asks the address's breaker. A refused receipt is queued again, spread so that a long queue is not looked through
  /// more often than it is worth.
  private func admit(_ receipt: Receipt, _ entry: ReceiptQueue.Entry) -> Bool {
    let (wait, waiting) = state.withLock { ($0.destinations.admit(receipt.address, now: .now), $0.queue.count) }
    guard let wait else { return true }
    again(
      entry, after: wait + .milliseconds(Int.random(in: 0...max(250, waiting / ReceiptDispatcher.looksPerMillisecond))))
    return false
  }

  // MARK: Delivering

  private func deliver(_ receipt: Receipt, _ entry: ReceiptQueue.Entry) async {
    let outcome = await attempt(receipt)
    counters[outcome]?.add()
    switch outcome {
    case .delivered, .refused, .expired:
      ledger.markReported([receipt.id])
      finished(nil)
    case .retry:
      var next = entry
      next.attempt += 1
      again(next, after: ReceiptDispatcher.backoff.delay(attempt: Int(entry.attempt)))
    }
  }

  private func attempt(_ receipt: Receipt) async -> Outcome {
    let now = clock.now()
    var status: Int?
    var problem = ""
    do throws(HTTPClientError) {
      status = try await client.execute(receipt.request(signedBy: webhook, at: now)).status
    } catch {
      problem = "\(error)"
    }
    let answers = status.map { $0 < 500 && $0 != 429 } ?? false
    state.withLock { $0.destinations.record(receipt.address, success: answers, now: .now) }
    switch status {
    case .some(200...299): return .delivered
    case .some(400), .some(410), .some(413), .some(422):
      log.warning(
        "a receipt was refused",
        [
          "status": .int(Int64(status ?? 0)), "vendor_message_id": .string(receipt.id.description),
          "url": .string(receipt.address),
        ])
      return .refused
    default:
      if now.since(receipt.acceptedAt) > ReceiptDispatcher.giveUpAfter { return .expired }
      log.debug(
        "a receipt was not taken and is tried again",
        ["status": .int(Int64(status ?? 0)), LogKey.error: .string(problem), "url": .string(receipt.address)])
      return .retry
    }
  }

  private func again(_ entry: ReceiptQueue.Entry, after wait: Duration) {
    var entry = entry
    entry.due = now &+ UInt32(clamping: wait.wholeMilliseconds)
    finished(entry)
  }

  /// Frees the place of a delivery, and queues what is to be tried again.
  private func finished(_ next: ReceiptQueue.Entry?) {
    let (wakes, last) = state.withLock { state in
      state.inFlight -= 1
      if let next { state.queue.push(next) }
      let last = state.stopping && state.inFlight == 0
      if state.waitsForPlace {
        state.waitsForPlace = false
        return (true, last)
      }
      guard let due = next?.due, let until = state.sleepsUntil, due < until else { return (false, last) }
      state.sleepsUntil = nil
      return (true, last)
    }
    if wakes { wake.signal() }
    if last { idle.set(()) }
  }
}
