import CivilTime
import Crypto
import Foundation
import JSON
import Runtime
import Synchronization

/// Why a call could not be written to the ledger. Nothing was accepted; the caller may try again.
enum LedgerError: Error, CustomStringConvertible {
  /// The disk refuses; the ledger stays as it was.
  case notWritten(String)
  case stopping
  /// More calls wait than memory should hold.
  case overloaded

  var description: String {
    switch self {
    case .notWritten(let reason): "the ledger could not be written: \(reason)"
    case .stopping: "the simulator is stopping"
    case .overloaded: "too many calls wait for the ledger"
    }
  }
}

/// A message that stands in the ledger, on disk.
struct AcceptedMessage: Sendable {
  let id: VendorMessageID
  /// False for a repeated call under an honoured key; `id` is then that of the first.
  let effective: Bool
  let at: Timestamp
  /// What becomes of it; nil where it has no effect.
  let plan: ReceiptPlan?
}

/// The simulator's truth: every accepted call is a line on disk before it is answered.
///
/// One thread owns the files. It takes whatever waits, numbers it, writes it and syncs once for all of it (group
/// commit); callers are suspended meanwhile. Idempotency keys are decided by that thread too, so that of calls that arrive
/// together under one key exactly one takes effect, and a failed write leaves no trace.
final class Ledger: Service {
  enum Command: Sendable {
    case accept(Pending)
    case change(JSONValue, CheckedContinuation<Result<Behaviour, any Error>, Never>)
    case reset(CheckedContinuation<Result<Void, LedgerError>, Never>)
  }

  /// A call that waits for its line.
  struct Pending: Sendable {
    let send: UUIDBytes
    let key: UUIDBytes?
    /// From `LedgerLine.encodeRequest`.
    let request: [UInt8]
    let callbackURL: String?
    let continuation: CheckedContinuation<Result<AcceptedMessage, LedgerError>, Never>
  }

  struct State {
    var queue: [Command] = []
    var writerSleeps = false
    var stopping = false
    var file: AppendFile
    var end: UInt64
    var book: MessageBook
    var journal: JournalState
    /// Reported messages whose journal line is not written yet.
    var reported: [UInt32] = []
  }

  let name = "ledger"
  let path: String
  let clock: any WallClock
  let state: Mutex<State>
  /// Threads for reading, so that tasks never wait for the disk.
  let readers = BlockingPool(name: "ledger-read", threads: 2)
  let log: Logger
  let metrics: SimulatorMetrics
  private let lock: LockFile
  let work = DispatchSemaphore(value: 0)
  private let thread = Mutex<OwnedThread?>(nil)
  let observer = Mutex(Observer { _ in })
  /// The journal and where it ends; used by the writing thread alone once it runs.
  let journal: Mutex<JournalEnd>

  /// A box around the closure: a lock around a bare closure would wrap it anew at each reading, and the wraps add up.
  struct Observer: Sendable {
    let accepted: @Sendable ([AcceptedMessage]) -> Void
  }

  struct JournalEnd {
    var file: AppendFile
    var end: UInt64
  }

  /// Calls waiting for the disk at most.
  private static let queueLimit = 50_000

  /// Reads what is on disk. Blocking, before anything is served.
  ///
  /// - Throws: `FileError` when another process writes this ledger, or the file is none.
  init(path: String, clock: any WallClock, log: Logger, metrics: SimulatorMetrics) throws(FileError) {
    self.path = path
    self.clock = clock
    self.log = log
    self.metrics = metrics
    lock = try LockFile(LedgerLoader.lockPath(path))
    let loaded = try LedgerLoader.load(path)
    state = Mutex(
      State(file: loaded.ledger, end: loaded.end, book: loaded.book, journal: loaded.journalState))
    journal = Mutex(JournalEnd(file: loaded.journal, end: loaded.journalEnd))
    if loaded.tornBytes > 0 {
      log.warning("the ledger ended within a line, which was cut off", ["bytes": .int(Int64(loaded.tornBytes))])
    }
    log.info("ledger read", ["path": .string(path), "lines": .int(Int64(loaded.book.count))])
  }

  /// Sets what is told of new messages, before their callers are answered. It is called on the writing thread and must
  /// not block.
  func onAccepted(_ body: @escaping @Sendable ([AcceptedMessage]) -> Void) {
    observer.withLock { $0 = Observer(accepted: body) }
  }

  func start() async throws {
    thread.withLock { $0 = OwnedThread.start(name: "ledger") { [self] in write() } }
  }

  /// Writes what waits, then ends.
  func stop(grace: Duration) async {
    state.withLock { $0.stopping = true }
    work.signal()
    await thread.withLock { $0 }?.joined()
    await readers.shutdown()
  }

  // MARK: Callers

  /// Returns once the call's line is on disk.
  func accept(_ message: MessageRequest) async throws(LedgerError) -> AcceptedMessage {
    let send = MessageRequest.indexKey(message.sendID)
    let key = message.idempotencyKey.map { $0 == message.sendID ? send : MessageRequest.indexKey($0) }
    let request = LedgerLine.encodeRequest(message)
    return try await withCheckedContinuation { continuation in
      let pending = Pending(
        send: send, key: key, request: request, callbackURL: message.callbackURL, continuation: continuation)
      if let refusal = enqueue(.accept(pending)) { continuation.resume(returning: .failure(refusal)) }
    }.get()
  }

  /// Changes the behaviour of messages accepted from now on; on disk when this returns.
  ///
  /// - Throws: `ValidationError`, or `LedgerError`.
  func change(_ json: JSONValue) async throws -> Behaviour {
    try await withCheckedContinuation { continuation in
      if let refusal = enqueue(.change(json, continuation)) { continuation.resume(returning: .failure(refusal)) }
    }.get()
  }

  /// Empties the ledger and restores the behaviour.
  func reset() async throws(LedgerError) {
    try await withCheckedContinuation { continuation in
      if let refusal = enqueue(.reset(continuation)) { continuation.resume(returning: .failure(refusal)) }
    }.get()
  }

  var behaviour: Behaviour { state.withLock { $0.journal.behaviours.current } }

  /// Remembers that nothing remains to be done for a message's receipt. Reports of a ledger that was reset are ignored.
  func markReported(_ ids: [VendorMessageID]) {
    let wake = state.withLock { state in
      let wasEmpty = state.reported.isEmpty
      for id in ids where id.ledger == state.book.ledger && state.book.markReported(id.seq) {
        state.journal.callbacks[id.seq] = nil
        state.reported.append(id.seq)
      }
      // A writer that sleeps while reports wait looks for them by itself: wake it for the first only.
      return state.writerSleeps && wasEmpty && !state.reported.isEmpty
    }
    if wake { work.signal() }
  }

  private func enqueue(_ command: Command) -> LedgerError? {
    let (refusal, wake): (LedgerError?, Bool) = state.withLock { state in
      if state.stopping { return (.stopping, false) }
      if state.queue.count >= Ledger.queueLimit { return (.overloaded, false) }
      state.queue.append(command)
      defer { state.writerSleeps = false }
      return (nil, state.writerSleeps)
    }
    if wake { work.signal() }
    return refusal
  }
}
