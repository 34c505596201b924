import ServiceHost

/// Asks the database about a credential. Any number of requests may wait for one answer, so it is not waited for while
/// the database is away, nor for long while it is silent and nobody has noticed.
struct CredentialLookup: Sendable {
  let health: HealthBoard
  /// After which a read is given up; the next request with the credential begins another.
  let patience: Duration

  /// - Throws: what `read` throws; `Problem` (503) when it was given up, which says whether the database is away.
  func read<Value: Sendable>(_ read: @escaping @Sendable () async throws -> Value) async throws -> Value {
    // Without this, every request would wait for as long as a driver looks for a server.
    if health.isConnected(.database), let value = try await health.unlessDatabaseIsLost(within: patience, read) {
      return value
    }
    if health.isConnected(.database) { throw Problem.databaseOverloaded }
    throw Problem(.dependencyUnavailable, "MongoDB, which knows the credentials, does not answer.", retryAfter: 2)
  }
}
