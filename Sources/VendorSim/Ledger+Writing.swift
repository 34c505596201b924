import CivilTime
import Foundation
import JSON
import Runtime

/// The thread that writes the ledger and its journal.
extension Ledger {
  /// Two syncs are at least this far apart while there is much to do: a sync costs the same for one line and for many.
  private static let syncInterval = Duration.milliseconds(2)
  /// How long a report may wait for its journal line.
  private static let reportInterval = DispatchTimeInterval.milliseconds(100)

  /// Runs until `stop`, and writes what waits then.
  func write() {
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
    let (file, start, behaviour, drafts) = state.withLock { state in
      let behaviour = state.journal.behaviours.current
      return (
        state.file, state.end, behaviour,
        GroupDraft(group, state.book, honour: behaviour.honourIdempotencyKey)
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
    let journalEnd = journal.withLock { $0.end }
    do throws(FileError) {
      try writeCallbacks(group, drafts)
      try file.write(bytes, at: start)
      try file.sync()
    } catch {
      try? file.truncate(to: start)
      // The numbers will be given to other messages, which must not find these callbacks.
      journal.withLock { journal in
        journal.end = journalEnd
        try? journal.file.truncate(to: journalEnd)
      }
      log.error("the ledger could not be written", [LogKey.error: .string("\(error)")])
      for pending in group { pending.continuation.resume(returning: .failure(.notWritten("\(error)"))) }
      return
    }
    metrics.synced(group.count, in: began.duration(to: .now))
    let messages = drafts.lines.map { draft in
      AcceptedMessage(
        id: draft.id, effective: draft.effective, at: at,
        plan: draft.effective ? ReceiptPlan(draft.id, acceptedAt: at, behaviour) : nil)
    }
    state.withLock { state in
      for (index, pending) in group.enumerated() {
        let draft = drafts.lines[index]
        state.book.append(send: pending.send, key: pending.key, offset: offsets[index], effective: draft.effective)
        if draft.effective, let url = pending.callbackURL { state.journal.callbacks[draft.seq] = url }
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
