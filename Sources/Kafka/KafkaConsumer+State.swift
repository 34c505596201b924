import Runtime

/// The consumer between its thread, which reads records, and the tasks that take and complete them.
///
/// A pure value: it returns what is to be done (whom to resume with what), and its owner does it after releasing the
/// lock. `Continuation` is whatever a waiting task is resumed by.
struct ConsumerState<Continuation> {
  typealias Instant = ContinuousClock.Instant

  enum Life: Equatable {
    case idle, running, closing, closed
  }

  /// A waiting task, and what it gets: records (none when its time is up), or nil when the consumer is closed.
  struct Handover {
    let continuation: Continuation
    let records: [ConsumedRecord]?
  }

  fileprivate struct Waiter {
    let id: UInt64
    let max: Int
    let linger: Duration
    /// Without a record by then it gets none. Once there is one: when it stops waiting for more.
    var deadline: Instant
    var lingering = false
    let continuation: Continuation
  }

  private(set) var life = Life.idle
  private(set) var tracker = WatermarkTracker()
  private(set) var statistics = KafkaConsumerStatistics()
  private var queue = Deque<ConsumedRecord>()
  private var queuedBytes = 0
  private var waiters: [Waiter] = []
  /// Waiters cancelled before they came to wait.
  private var cancelled: Set<UInt64> = []
  private var lastID: UInt64 = 0
  /// Whether records stay in the queue, whoever waits.
  private var holdsBack = false
  private let highWater: Int
  private let highWaterBytes: Int

  init(highWater: Int, highWaterBytes: Int) {
    self.highWater = Swift.max(1, highWater)
    self.highWaterBytes = highWaterBytes
  }

  // MARK: Life

  /// False when it has been started or closed before.
  mutating func start() -> Bool {
    guard life == .idle else { return false }
    life = .running
    return true
  }

  /// Ends intake and hand-out: what was not handed out is dropped (the group reads it again), waiters get nil.
  mutating func beginClosing() -> [Handover] {
    guard life != .closed else { return [] }
    life = .closing
    dropQueued(in: tracker.assigned)
    return releaseWaiters()
  }

  mutating func finishClosing() -> [Handover] {
    life = .closed
    tracker.revoke(tracker.assigned)
    return releaseWaiters()
  }

  private mutating func releaseWaiters() -> [Handover] {
    defer { waiters = [] }
    return waiters.map { Handover(continuation: $0.continuation, records: nil) }
  }

  // MARK: Assignment

  mutating func assign(_ partitions: [TopicPartition]) {
    statistics.rebalances += 1
    tracker.assign(partitions)
  }

  /// Stops intake of the partitions and drops their records that were not handed out.
  mutating func beginRevoking(_ partitions: [TopicPartition]) {
    tracker.beginRevoking(partitions)
    dropQueued(in: partitions)
  }

  mutating func finishRevoking(_ partitions: [TopicPartition]) {
    tracker.revoke(partitions)
  }

  /// The queue holds the newest records of each partition, so forgetting from the first queued one on leaves exactly
  /// what was handed out.
  private mutating func dropQueued(in partitions: [TopicPartition]) {
    let dropped = Set(partitions)
    var first: [TopicPartition: Int64] = [:]
    removeQueued { record in
      let partition = TopicPartition(topic: record.topic, partition: record.partition)
      guard dropped.contains(partition) else { return false }
      first[partition] = min(first[partition] ?? .max, record.offset)
      return true
    }
    for (partition, offset) in first { tracker.truncate(partition, from: offset) }
  }

  private mutating func removeQueued(where drop: (ConsumedRecord) -> Bool) {
    var bytes = queuedBytes
    queue.filter { record in
      guard drop(record) else { return true }
      bytes -= record.byteCount
      return false
    }
    queuedBytes = bytes
  }

  // MARK: Records

  /// Takes records in the order in which they were read, giving each its epoch; those of foreign partitions are dropped.
  mutating func receive(_ records: [ConsumedRecord], now: Instant) -> [Handover] {
    var run: (topic: String, partition: Int32, slot: Int?)?
    for var record in records {
      if run?.partition != record.partition || run?.topic != record.topic {
        let partition = TopicPartition(topic: record.topic, partition: record.partition)
        run = (record.topic, record.partition, tracker.slot(of: partition))
      }
      guard life == .running, let slot = run?.slot else { continue }
      switch tracker.receive(slot: slot, offset: record.offset) {
      case .notAssigned:
        continue
      case .rewound(let epoch):
        removeQueued {
          $0.offset >= record.offset && $0.partition == record.partition && $0.topic == record.topic
        }
        record.epoch = epoch
      case .accepted(let epoch):
        record.epoch = epoch
      }
      queuedBytes += record.byteCount
      queue.append(record)
      statistics.consumed += 1
    }
    return serveWaiters(now: now)
  }

  /// Returns how many of the positions were outstanding.
  mutating func complete(_ positions: some Sequence<RecordPosition>) -> Int {
    var completed = 0
    for position in positions {
      if tracker.complete(epoch: position.epoch, offset: position.offset) {
        completed += 1
      } else {
        statistics.staleCompletions += 1
      }
    }
    statistics.completed += completed
    return completed
  }

  /// How many more records may be taken in; not positive when intake is to stop.
  var capacity: Int {
    queuedBytes >= highWaterBytes ? 0 : highWater - tracker.outstanding
  }

  /// True when so much has been completed that a stopped intake may go on.
  var mayResume: Bool {
    tracker.outstanding <= highWater / 4 * 3 && queuedBytes <= highWaterBytes / 4 * 3
  }

  // MARK: Hand-out

  /// Begins or ends a time in which nothing is handed out.
  mutating func holdBack(_ holdsBack: Bool, now: Instant) -> [Handover] {
    self.holdsBack = holdsBack
    return serveWaiters(now: now)
  }

  mutating func newID() -> UInt64 {
    lastID += 1
    return lastID
  }

  /// Records without waiting, if there are any for this caller and nobody came before; nil: wait.
  mutating func take(max: Int, linger: Duration) -> [ConsumedRecord]? {
    guard !holdsBack, waiters.isEmpty, !queue.isEmpty, linger == .zero || queue.count >= max else { return nil }
    return pop(max)
  }

  /// Lets a task wait; returns who is to be resumed, which may be the task itself.
  mutating func wait(
    _ id: UInt64, max: Int, until deadline: Instant, linger: Duration, now: Instant, _ continuation: Continuation
  ) -> [Handover] {
    guard life == .idle || life == .running else { return [Handover(continuation: continuation, records: nil)] }
    guard cancelled.remove(id) == nil else { return [Handover(continuation: continuation, records: [])] }
    waiters.append(
      Waiter(id: id, max: Swift.max(1, max), linger: linger, deadline: deadline, continuation: continuation))
    return serveWaiters(now: now)
  }

  mutating func cancel(_ id: UInt64, now: Instant) -> [Handover] {
    guard let index = waiters.firstIndex(where: { $0.id == id }) else {
      cancelled.insert(id)
      return []
    }
    let waiter = waiters.remove(at: index)
    // The next in line may have been waiting for this one to stop lingering.
    return [Handover(continuation: waiter.continuation, records: [])] + serveWaiters(now: now)
  }

  /// The wait is over: its id, if still noted as cancelled, is not needed any more.
  mutating func forget(_ id: UInt64) { cancelled.remove(id) }

  /// Resumes those whose time is up, and those there are records for. First come, first served.
  mutating func serveWaiters(now: Instant) -> [Handover] {
    var handovers: [Handover] = []
    while !holdsBack, !queue.isEmpty, let first = waiters.first {
      if first.linger > .zero, queue.count < first.max {
        if !first.lingering {
          waiters[0].lingering = true
          waiters[0].deadline = now + first.linger
        }
        if waiters[0].deadline > now { break }
      }
      waiters.removeFirst()
      handovers.append(Handover(continuation: first.continuation, records: pop(first.max)))
    }
    let isOver = { [holdsBack] (waiter: Waiter) in waiter.deadline <= now && (!waiter.lingering || holdsBack) }
    guard waiters.contains(where: isOver) else { return handovers }
    for waiter in waiters where isOver(waiter) {
      handovers.append(Handover(continuation: waiter.continuation, records: []))
    }
    waiters.removeAll(where: isOver)
    return handovers
  }

  /// When `serveWaiters` has to be called at the latest.
  var nextDeadline: Instant? { waiters.lazy.map(\.deadline).min() }

  private mutating func pop(_ max: Int) -> [ConsumedRecord] {
    let records = queue.popFirst(Swift.max(1, max))
    queuedBytes -= records.reduce(0) { $0 + $1.byteCount }
    return records
  }

  // MARK: Commits and counts

  mutating func committed(_ offsets: [PartitionOffset]) {
    statistics.commits += 1
    for offset in offsets { tracker.markCommitted(offset) }
  }

  mutating func commitFailed() { statistics.commitFailures += 1 }

  mutating func intakePaused(_ paused: Bool) { statistics.paused = paused }

  var snapshot: KafkaConsumerStatistics {
    var statistics = statistics
    statistics.queued = queue.count
    statistics.outstanding = tracker.outstanding
    statistics.assignedPartitions = tracker.assignedCount
    return statistics
  }
}

extension ConsumerState: Sendable where Continuation: Sendable {}
extension ConsumerState.Handover: Sendable where Continuation: Sendable {}
extension ConsumerState.Waiter: Sendable where Continuation: Sendable {}
