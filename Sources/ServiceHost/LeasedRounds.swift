import CRMStore
import JSON
import Runtime
import Synchronization

/// Does something in rounds, in one replica at a time: whoever has the lease does a round, and everybody tries again after
/// a while.
///
/// A round that fails is followed by the next one. A round may outlast its lease, so what it does must be safe when two
/// replicas do it at once.
public final class LeasedRounds: Service {
  /// Also the lease's.
  public let name: String

  private let store: Store
  private let owner: String
  private let log: Logger
  private let leaseSeconds: Int
  private let interval: Duration
  private let round: @Sendable () async throws -> Void
  private let task = Mutex<Task<Void, Never>?>(nil)

  /// - Parameter interval: from the end of one attempt to the next.
  public init(
    _ context: ServiceContext, name: String, leaseSeconds: Int, interval: Duration,
    round: @escaping @Sendable () async throws -> Void
  ) {
    self.name = name
    store = context.store
    owner = context.instanceID
    log = context.log
    self.leaseSeconds = leaseSeconds
    self.interval = interval
    self.round = round
  }

  public func start() async throws {
    let running = Task { [self] in
      while !Task.isCancelled {
        do {
          if try await store.acquireLease(name, owner: owner, seconds: leaseSeconds) { try await round() }
        } catch {
          if !Task.isCancelled {
            log.warning("\(name): a round failed; the next one goes on", [LogKey.error: .string("\(error)")])
          }
        }
        try? await Task.sleep(for: interval)
      }
    }
    task.withLock { $0 = running }
  }

  public func stop(grace: Duration) async {
    let running = task.withLock { $0 }
    running?.cancel()
    await running?.value
    // Nothing is lost if this fails: the lease runs out by itself.
    try? await store.releaseLease(name, owner: owner)
  }
}
