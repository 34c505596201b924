import CRMMessaging
import CRMStore
import Foundation
import JSON
import Kafka
import Mongo
import Runtime
import Synchronization

/// Watches MongoDB and Kafka: waits for them at start, prepares them, and keeps the health board true afterwards.
public final class Dependencies: Service {
  public let name = "dependencies"
  private let context: ServiceContext
  private let watch = Mutex<Task<Void, Never>?>(nil)
  /// A client that reads is told within two seconds that MongoDB is away: between two pings, and until one is given up.
  private static let databaseInterval = Duration.milliseconds(500)
  private static let databaseTimeoutMS = 1000
  private static let kafkaInterval = Duration.seconds(2)
  private static let leaderChecks = 40

  public init(_ context: ServiceContext) { self.context = context }

  /// Returns once both dependencies answer and are prepared: collections, validators and indexes exist, topics exist
  /// where the broker allows their creation. Waits as long as it takes, and says so.
  public func start() async throws {
    if let database = context.database {
      try await untilDone("MongoDB", .database) {
        try await database.ping(timeoutMS: 2000)
        try await context.store.ensureSchema()
      }
    }
    if let messaging = context.messaging {
      try await untilDone("Kafka", .kafka) {
        try await messaging.admin.ping(timeout: .seconds(2))
        try await ensureTopics(messaging.admin)
        await waitForLeaders(messaging.admin)
      }
    }
    watch.withLock { $0 = Task { [self] in await keepWatching() } }
  }

  public func stop(grace: Duration) async {
    let task = watch.withLock { $0 }
    task?.cancel()
    await task?.value
  }

  private func untilDone(
    _ what: String, _ dependency: HealthBoard.Dependency, _ prepare: () async throws -> Void
  ) async throws {
    let backoff = Backoff(base: .milliseconds(200), cap: .seconds(2))
    var attempt = 0
    while true {
      do {
        try await prepare()
        context.health.report(dependency, problem: nil)
        context.instruments.dependencyUp.labels(dependency.rawValue).set(1)
        return
      } catch {
        try Task.checkCancellation()
        context.health.report(dependency, problem: "\(error)")
        context.instruments.dependencyUp.labels(dependency.rawValue).set(0)
        if attempt % 5 == 0 { context.log.warning("waiting for \(what)", [LogKey.error: .string("\(error)")]) }
        try await Task.sleep(for: .milliseconds(50) + backoff.delay(attempt: attempt))
        attempt += 1
      }
    }
  }

  /// A broker that does not let us create topics may have them already, made by an operator.
  private func ensureTopics(_ admin: KafkaAdmin) async throws {
    let partitions = context.settings[CRMSettings.topicPartitions]
    let replication = context.settings[CRMSettings.topicReplication]
    let known = try await admin.metadata().topics
    let missing = Topic.allCases.filter { known[$0.name] == nil }
    guard !missing.isEmpty else { return }
    let results = try await admin.createTopics(
      missing.map { $0.specification(partitions: partitions, replication: replication) })
    for result in results {
      switch result.outcome {
      case .created: context.log.info("topic created", [LogKey.topic: .string(result.name)])
      case .exists: break
      case .failed(let error):
        context.log.warning(
          "topic could not be created; the broker's own settings or an operator must provide it",
          [LogKey.topic: .string(result.name), LogKey.error: .string("\(error)")])
      }
    }
  }

  /// A topic that has just been made may be known before each of its partitions has a leader that answers. A consumer that
  /// is assigned such a partition can fail to find where to begin and then stand still, so nobody starts before.
  private func waitForLeaders(_ admin: KafkaAdmin) async {
    let group = Topic.sendJobs.consumerGroup(prefix: context.settings[CRMSettings.kafkaGroupID])
    let names = Topic.allCases.map(\.name)
    for _ in 0..<Dependencies.leaderChecks {
      do {
        let known = try await admin.metadata().topics
        let expected = names.reduce(0) { $0 + (known[$1]?.count ?? 0) }
        let answered = try await admin.groupLag(group: group, topics: names, timeout: .seconds(2)).count
        if answered == expected { return }
      } catch {
        context.log.debug("partitions do not answer yet", [LogKey.error: .string("\(error)")])
      }
      try? await Task.sleep(for: .milliseconds(250))
      if Task.isCancelled { return }
    }
    context.log.warning("some partitions have no leader that answers; their records wait")
  }

  private func keepWatching() async {
    await withTaskGroup { group in
      if let database = context.database {
        group.addTask { [self] in
          await keepChecking(.database, "MongoDB", every: Dependencies.databaseInterval) {
            try await database.ping(timeoutMS: Dependencies.databaseTimeoutMS)
          }
        }
      }
      if let messaging = context.messaging {
        group.addTask { [self] in
          await keepChecking(.kafka, "Kafka", every: Dependencies.kafkaInterval) {
            try await messaging.admin.ping(timeout: .seconds(2))
          }
        }
      }
    }
  }

  private func keepChecking(
    _ dependency: HealthBoard.Dependency, _ what: String, every interval: Duration,
    _ ping: @Sendable () async throws -> Void
  ) async {
    while !Task.isCancelled {
      try? await Task.sleep(for: interval)
      if !Task.isCancelled { await check(dependency, what, ping) }
    }
  }

  private func check(
    _ dependency: HealthBoard.Dependency, _ what: String, _ ping: @Sendable () async throws -> Void
  ) async {
    var problem: String?
    do { try await ping() } catch { problem = "\(error)" }
    if Task.isCancelled { return }
    context.instruments.dependencyUp.labels(dependency.rawValue).set(problem == nil ? 1 : 0)
    guard context.health.report(dependency, problem: problem) else { return }
    if let problem {
      context.log.warning("\(what) does not answer", [LogKey.error: .string(problem)])
    } else {
      context.log.info("\(what) answers again")
    }
  }
}

/// The connections of a process: first to exist, last to be closed.
struct Connections: Service {
  let name = "connections"
  let context: ServiceContext

  func start() async throws {}

  func stop(grace: Duration) async {
    if let messaging = context.messaging {
      await messaging.producer.close(timeoutMS: Int(min(grace, .seconds(10)).wholeMilliseconds))
      await messaging.admin.close()
    }
    await context.database?.close()
  }
}
