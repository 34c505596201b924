import BSON
import CMongoC
import Runtime

extension MongoClient {
  private enum Attempt<T: Sendable>: Sendable {
    case committed(T)
    /// Nothing was committed; the whole body may run again.
    case transient(MongoError)
  }

  /// Runs `body` in a transaction: reads see one snapshot, writes happen together, on a journaled majority, or not at all.
  ///
  /// The body runs again when the server says that the failure is transient, such as a write conflict; a commit whose fate is
  /// unknown is sent again. Each attempt is a job of its own, so that no thread is held during the waits in between.
  ///
  /// - Parameter body: may block, may run several times, and must have no effect but through its connection, which must not
  ///   escape. Do not swallow a `MongoError`: the server has already aborted the transaction.
  /// - Throws: what `body` throws, after an abort; the last transient error when deadline or attempts run out; an error with the
  ///   label `UnknownTransactionCommitResult` when the transaction may or may not have been committed.
  public func withTransaction<T: Sendable>(
    _ options: TransactionOptions = TransactionOptions(),
    _ body: @escaping @Sendable (MongoConnection) throws -> T
  ) async throws -> T {
    let end = ContinuousClock.now + options.deadline
    var backoff = TransactionBackoff()
    var attempts = 0
    while true {
      attempts += 1
      let attempt = try await jobs.run { [self] in
        try connected { connection in try run(body, connection, options, until: end) }
      }
      switch attempt {
      case .committed(let value):
        return value
      case .transient(let error):
        let wait = backoff.next()
        guard attempts < options.maximumAttempts, ContinuousClock.now + wait < end else { throw error }
        try await Task.sleep(for: wait)
      }
    }
  }

  private func run<T: Sendable>(
    _ body: (MongoConnection) throws -> T, _ connection: MongoConnection, _ options: TransactionOptions,
    until end: ContinuousClock.Instant
  ) throws -> Attempt<T> {
    do {
      try connection.beginTransaction(maxCommitTimeMS: options.maxCommitTimeMS)
      // Ends the session before the client goes back to the pool.
      defer { connection.endSession() }
      let value: T
      do {
        value = try body(connection)
      } catch {
        connection.abortTransaction()
        throw error
      }
      try commit(connection, until: end)
      return .committed(value)
    } catch let error as MongoError where error.labels.contains(MongoError.Label.transientTransaction) {
      return .transient(error)
    }
  }

  /// Sends the commit until its fate is known or the deadline has passed.
  private func commit(_ connection: MongoConnection, until end: ContinuousClock.Instant) throws(MongoError) {
    var backoff = TransactionBackoff()
    while true {
      do {
        return try connection.commitTransaction()
      } catch {
        let wait = backoff.next()
        // A commit that ran out of the server's time would again.
        guard error.labels.contains(MongoError.Label.unknownCommitResult), error.kind != .timeout,
          ContinuousClock.now + wait < end
        else { throw error }
        BlockingSleep.sleep(wait)
      }
    }
  }
}
