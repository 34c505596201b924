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
}

/// The simulator's truth: every accepted call is a line on disk before it is answered.
///
/// One thread owns the files. It takes whatever waits, numbers it, writes it and syncs once for all of it (group commit);
/// callers are suspended meanwhile. Idempotency keys are decided by that thread too, so that of calls that arrive
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
  private let log: Logger
  private let metrics: SimulatorMetrics
  private let lock: LockFile
  private let work = DispatchSemaphore(value: 0)
  private let thread = Mutex<OwnedThread?>(nil)
  private let observer = Mutex(Observer { _ in })
  /// The journal and where it ends; used by the writing thread alone once it runs.
  private let journal: Mutex<JournalEnd>

  /// A box around the closure: a lock around a bare closure would wrap it anew at each reading, and the wraps add up.
  private struct Observer: Sendable {
    let accepted: @Sendable ([AcceptedMessage]) -> Void
  }

  private struct JournalEnd {
    var file: AppendFile
    var end: UInt64
  }

  /// Calls waiting for the disk at most.
  private static let queueLimit = 50_000
  /// Two syncs are at least this far apart while there is much to do: a sync costs the same for one line and for many.
  private static let syncInterval = Duration.milliseconds(2)
  /// How long a report may wait for its journal line.
  private static let reportInterval = DispatchTimeInterval.milliseconds(100)

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

  /// Sets what is told of new messages, before their callers are answered. Called on the writing thread: must not block.
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

  // MARK: The writing thread

  private func write() {
    var lastSync = ContinuousClock.now - Ledger.syncInterval
    while true {
      let pause = Ledger.syncInterval - lastSync.duration(to: .now)
      if pause > .zero { Thread.sleep(forTimeInterval: pause.inSeconds) }
      let (commands, reported, stopping) = take()
      if commands.isEmpty, reported.isEmpty {
        if stopping { return }
        continue
      }
      writeReports(reported)
      var group: [Pending] = []
      for command in commands {
        if case .accept(let pending) = command {
          group.append(pending)
          continue
        }
        commit(group)
        group = []
        switch command {
        case .accept: break
        case .change(let json, let continuation): continuation.resume(returning: apply(json))
        case .reset(let continuation): continuation.resume(returning: startAnew())
        }
      }
      commit(group)
      if !commands.isEmpty { lastSync = .now }
    }
  }

  /// Waits for something to do, no longer than reports may wait.
  private func take() -> ([Command], [UInt32], stopping: Bool) {
    func grab() -> ([Command], [UInt32], stopping: Bool, reportsWait: Bool) {
      state.withLock { state in
        guard state.queue.isEmpty, !state.stopping else {
          defer {
            state.queue = []
            state.reported = []
            state.writerSleeps = false
          }
          return (state.queue, state.reported, state.stopping, false)
        }
        state.writerSleeps = true
        return ([], [], false, !state.reported.isEmpty)
      }
    }
    let first = grab()
    if !first.0.isEmpty || first.stopping { return (first.0, first.1, first.stopping) }
    if first.reportsWait {
      if work.wait(timeout: .now() + Ledger.reportInterval) == .timedOut {
        let reported = state.withLock { state in
          defer { state.reported = [] }
          return state.reported
        }
        return ([], reported, false)
      }
    } else {
      work.wait()
    }
    let second = grab()
    return (second.0, second.1, second.stopping)
  }

  /// Writes a group of calls with one sync, then answers all of them.
  private func commit(_ group: [Pending]) {
    guard !group.isEmpty else { return }
    let at = clock.now()
    let began = ContinuousClock.now
    let time = Array(at.description.utf8)
    let (file, start, drafts) = state.withLock { state in
      (
        state.file, state.end,
        GroupDraft(group, state.book, honour: state.journal.behaviours.current.honourIdempotencyKey)
      )
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(group.reduce(0) { $0 + $1.request.count + 160 })
    var offsets: [UInt64] = []
    for (pending, draft) in zip(group, drafts.lines) {
      offsets.append(start + UInt64(bytes.count))
      LedgerLine.append(
        to: &bytes, seq: draft.seq, at: time, request: pending.request, id: draft.id, effective: draft.effective)
    }
    do throws(FileError) {
      try writeCallbacks(group, drafts)
      try file.write(bytes, at: start)
      try file.sync()
    } catch {
      try? file.truncate(to: start)
      log.error("the ledger could not be written", [LogKey.error: .string("\(error)")])
      for pending in group { pending.continuation.resume(returning: .failure(.notWritten("\(error)"))) }
      return
    }
    metrics.synced(group.count, in: began.duration(to: .now))
    var messages: [AcceptedMessage] = []
    messages.reserveCapacity(group.count)
    state.withLock { state in
      for (index, pending) in group.enumerated() {
        let draft = drafts.lines[index]
        state.book.append(send: pending.send, key: pending.key, offset: offsets[index], effective: draft.effective)
        if draft.effective, let url = pending.callbackURL { state.journal.callbacks[draft.seq] = url }
        messages.append(AcceptedMessage(id: draft.id, effective: draft.effective, at: at))
      }
      state.end = start + UInt64(bytes.count)
    }
    metrics.accepted(messages)
    observer.withLock { $0 }.accepted(messages.filter(\.effective))
    for (pending, message) in zip(group, messages) { pending.continuation.resume(returning: .success(message)) }
  }

  private func writeCallbacks(_ group: [Pending], _ drafts: GroupDraft) throws(FileError) {
    var lines: [UInt8] = []
    for (pending, draft) in zip(group, drafts.lines) where draft.effective {
      if let url = pending.callbackURL { lines += Journal.encode(callback: url, seq: draft.seq) }
    }
    if !lines.isEmpty { try appendToJournal(lines, sync: true) }
  }

  private func writeReports(_ reported: [UInt32]) {
    guard !reported.isEmpty else { return }
    do throws(FileError) {
      try appendToJournal(Journal.encode(reported: reported), sync: false)
    } catch {
      log.warning(
        "reports could not be written; after a restart these receipts are sent again",
        [LogKey.error: .string("\(error)")])
    }
  }

  private func appendToJournal(_ bytes: [UInt8], sync: Bool) throws(FileError) {
    let result = journal.withLock { journal -> Result<Void, FileError> in
      Result { () throws(FileError) in
        try journal.file.write(bytes, at: journal.end)
        if sync { try journal.file.sync() }
        journal.end += UInt64(bytes.count)
      }
    }
    try result.get()
  }

  private func apply(_ json: JSONValue) -> Result<Behaviour, any Error> {
    let (current, next) = state.withLock { ($0.journal.behaviours.current, $0.book.count + 1) }
    do {
      let changed = try current.changed(by: json)
      do throws(FileError) {
        try appendToJournal(Journal.encode(changed, from: next), sync: true)
      } catch {
        throw LedgerError.notWritten("\(error)")
      }
      state.withLock { $0.journal.behaviours.change(to: changed, from: next) }
      log.info("behaviour changed", ["behaviour": changed.jsonValue])
      return .success(changed)
    } catch {
      return .failure(error)
    }
  }

  /// New files take the place of the old ones; readers of the old ledger finish on it.
  private func startAnew() -> Result<Void, LedgerError> {
    do throws(FileError) {
      // The journal goes first: without it the old ledger's receipts come twice, with it a new ledger's would not come.
      let newJournal = try AppendFile(LedgerLoader.journalPath(path) + ".new", truncate: true)
      try AppendFile.replace(LedgerLoader.journalPath(path), with: newJournal.path)
      journal.withLock { $0 = JournalEnd(file: newJournal, end: 0) }
      let newLedger = try AppendFile(path + ".new", truncate: true)
      try AppendFile.replace(path, with: newLedger.path)
      state.withLock { state in
        state.file = newLedger
        state.end = 0
        state.book = MessageBook(ledger: UInt32.random(in: 0...UInt32.max))
        state.journal = JournalState()
        state.reported = []
      }
      log.info("reset")
      return .success(())
    } catch {
      log.error("the ledger could not be reset", [LogKey.error: .string("\(error)")])
      return .failure(.notWritten("\(error)"))
    }
  }
}

/// Numbers and idempotency decisions of a group, before it is written.
struct GroupDraft: Sendable {
  struct Line: Sendable {
    let seq: UInt32
    let id: VendorMessageID
    let effective: Bool
  }

  private(set) var lines: [Line] = []

  init(_ group: [Ledger.Pending], _ book: borrowing MessageBook, honour: Bool) {
    var ownKeys: [UUIDBytes: UInt32] = [:]
    lines.reserveCapacity(group.count)
    var seq = book.count
    for pending in group {
      seq += 1
      let first = honour ? pending.key.flatMap { book.effectiveLine(ofKey: $0) ?? ownKeys[$0] } : nil
      if first == nil, let key = pending.key, ownKeys[key] == nil { ownKeys[key] = seq }
      lines.append(
        Line(seq: seq, id: VendorMessageID(ledger: book.ledger, seq: first ?? seq), effective: first == nil))
    }
  }
}
