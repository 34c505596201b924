import BSON
import CRMCore
import CivilTime
import Crypto
import Mongo

/// What became of a send whose dead letter was replayed.
public enum Reopening: Sendable, Equatable {
  /// It waits for a new cycle of attempts under its send id.
  case reopened
  /// There is nothing to send: it has been sent, or its letter speaks of an earlier cycle. The row's state.
  case superseded(SendStatus)
}

extension Store {
  /// Marks dead letters after an event.
  ///
  /// - Throws: `StoreError.conflict` when the event is not possible in a letter's state; then none is marked.
  public func mark(_ letters: [FiledLetter], _ event: DeadLetterState.Event) async throws {
    guard !letters.isEmpty else { return }
    for letter in letters where letter.state.after(event) == nil { throw Store.impossible(event, letter.state) }
    try await mongo.withConnection { connection in
      let allowed = DeadLetterState.allowing(event).map { BSONValue.string($0.rawValue) }
      let marked = try connection.updateMany(
        Collections.deadLetters,
        ["_id": ["$in": .array(letters.map { .uuid($0.id.bytes) })], "state": ["$in": .array(allowed)]],
        Store.marking(event))
      // Somebody else has been faster with one of them; for a single letter that is the answer.
      if marked.matched == 0 { throw Store.impossible(event, nil) }
    }
  }

  private static func marking(_ event: DeadLetterState.Event) -> BSONDocument {
    switch event {
    case .replay:
      [
        "$set": ["state": .string(DeadLetterState.replayed.rawValue)], "$inc": ["replays": .int32(1)],
        "$currentDate": ["replayed_at": true],
      ]
    case .discard:
      [
        "$set": ["state": .string(DeadLetterState.discarded.rawValue)], "$currentDate": ["discarded_at": true],
      ]
    }
  }

  private static func impossible(_ event: DeadLetterState.Event, _ state: DeadLetterState?) -> StoreError {
    .conflict(
      message: "a dead letter that is \(state?.rawValue ?? "in another state now") cannot be \(event.rawValue)ed",
      currentStatus: state?.rawValue, runID: nil)
  }

  /// Gives a send whose attempts are used up a new cycle of them, under its send id, and marks its dead letter: one
  /// transaction, so it happens once.
  ///
  /// The row goes from FAILED to UNKNOWN: what becomes of it is open again, and its campaign need not run for it. It is
  /// the one step down that the states know; an old account of the failure does not undo it, since it names an attempt
  /// of the cycle before. A letter whose attempt is not the row's last speaks of an earlier failure, and a row that is not
  /// FAILED needs no other attempt: then the letter is marked, and nothing else happens.
  /// - Throws: `StoreError.conflict` while the failure is not in the log yet, for a letter that was discarded, and for a
  ///   run that may not send any more; `.notFound` for a send that is not in the log.
  public func reopen(_ letter: FiledLetter, _ job: SendJob) async throws -> Reopening {
    let slot = slots.take()
    defer { slots.give(slot) }
    return try await mongo.withTransaction { connection in
      let allowed = DeadLetterState.allowing(.replay).map { BSONValue.string($0.rawValue) }
      let marked = try connection.updateOne(
        Collections.deadLetters, ["_id": .uuid(letter.id.bytes), "state": ["$in": .array(allowed)]],
        Store.marking(.replay))
      guard marked.matched == 1 else { throw Store.impossible(.replay, .discarded) }
      guard
        let row = try connection.findOne(
          Collections.communicationLogs, ["_id": .uuid(job.sendID.bytes)],
          FindOptions(projection: ["status": 1, "attempt": 1, "run_id": 1, "vendor_message_id": 1])),
        let run = row["run_id"]?.uuidBytes.flatMap({ UUIDBytes(bytes: $0) }),
        let status = row["status"]?.stringValue.flatMap(SendStatus.init(rawValue:))
      else { throw StoreError.notFound(what: "send in the log", id: job.sendID.string) }
      if status.isInFlight, row["attempt"]?.int64Value == Int64(job.attempt) {
        throw StoreError.conflict(
          message: "the send's failure is not in the log yet; try again in a moment", currentStatus: status.rawValue,
          runID: run.string)
      }
      guard status == .failed, row["attempt"]?.int64Value == Int64(job.attempt), row["vendor_message_id"] == nil else {
        return .superseded(status)
      }
      let state = try Store.run(run, connection)?.state
      guard let state, state.resends || state == .paused else {
        throw StoreError.conflict(
          message: "the send's run is \(state?.rawValue ?? "gone"); nothing of it is sent any more",
          currentStatus: status.rawValue, runID: run.string)
      }
      _ = try connection.updateOne(
        Collections.communicationLogs, ["_id": .uuid(job.sendID.bytes)],
        [
          "$set": [
            "status": .string(SendStatus.unknown.rawValue), "rank": .int32(SendStatus.unknown.rank),
            "cycle_base": .int32(job.attempt), "asked": .int32(0),
          ],
          "$unset": ["failed_at": "", "error": "", "lease": "", "route": "", "ask_at": ""],
          "$inc": ["replays": .int32(1)],
          "$currentDate": ["retry_at": true, "unknown_since": true, "replayed_at": true, "updated_at": true],
        ])
      var delta = CampaignStats()
      delta.move(from: .failed, to: .unknown)
      try RunStats.add(delta, run: run, slot: slot, connection)
      return .reopened
    }
  }
}
