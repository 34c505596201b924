import BSON
import CMongoC
import Runtime

/// A pool of connections to one MongoDB deployment, and the threads that use them.
///
/// Each use of a connection is one blocking job on a thread of the client's own, never on Swift's cooperative pool. Writes
/// ask for a journaled majority; reads and writes that libmongoc can repeat safely are repeated once. Call `close()` when
/// done: the connections and threads live until then.
public final class MongoClient: Sendable {
  public let configuration: Configuration
  let redactor: CredentialRedactor
  let jobs: JobQueue
  /// Health checks have a thread and a connection of their own, so that load does not look like an outage.
  private let pings: JobQueue
  private let pool: ClientPool

  /// Connects lazily: a deployment that is down shows in the first operation, not here.
  ///
  /// - Throws: `.invalidInput` for a malformed connection string or configuration.
  public init(_ configuration: Configuration) throws(MongoError) {
    self.configuration = configuration
    redactor = CredentialRedactor(uri: configuration.uri)
    pool = try ClientPool(configuration, size: configuration.poolSize + 1, redactor: redactor)
    jobs = JobQueue(
      name: "mongo", threads: configuration.poolSize, waiting: configuration.waitQueueLimit,
      waitLimit: .milliseconds(configuration.waitQueueTimeoutMS))
    pings = JobQueue(name: "mongo-ping", threads: 1, waiting: 100, waitLimit: .seconds(60))
  }

  /// Runs `body` with a connection, as one blocking job.
  ///
  /// - Parameter body: may block. The connection must not escape it; its operations throw afterwards.
  /// - Throws: what `body` throws; `MongoError` `.exhausted` when no connection becomes free in time; `.closed` after
  ///   `close()`; `CancellationError` when the task was cancelled before a thread took the job.
  public func withConnection<T: Sendable>(
    _ body: @escaping @Sendable (MongoConnection) throws -> T
  ) async throws -> T {
    try await jobs.run { [self] in try connected(body) }
  }

  /// Asks the primary for a sign of life.
  ///
  /// - Throws: `.unavailable` at the latest after `timeoutMS`.
  public func ping(timeoutMS: Int = 2000) async throws(MongoError) {
    do {
      try await pings.run(within: .milliseconds(timeoutMS)) { [self] in
        try connected { connection in
          _ = try connection.command(["ping": 1, "maxTimeMS": .int64(Int64(max(1, timeoutMS)))])
        }
      }
    } catch let error as MongoError {
      throw error
    } catch {
      throw MongoError(kind: .unavailable, message: "the ping was given up: \(error)")
    }
  }

  /// Refuses new jobs, fails waiting ones with `.closed`, waits for running ones, then closes the connections.
  public func close() async {
    await jobs.shutdown()
    await pings.shutdown()
    await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
      // Closing joins libmongoc's monitoring threads.
      _ = OwnedThread.start(name: "mongo-close") { [pool] in
        pool.close()
        continuation.resume()
      }
    }
  }

  /// Pops a client, runs `body` with a connection over it, and pushes it back. Blocks.
  func connected<T>(_ body: (MongoConnection) throws -> T) throws -> T {
    let client = try pool.pop()
    defer { pool.push(client) }
    let connection = MongoConnection(client, configuration: configuration, redactor: redactor)
    defer { connection.invalidate() }
    return try body(connection)
  }
}
