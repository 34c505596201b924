import CRMMessaging
import JSON
import Kafka
import Runtime
import ServiceHost
import Synchronization

/// Watches how far the send workers are behind, and holds expansion back while it is too far.
final class SendBackPressure: Service {
  let name = "back-pressure"

  private struct State {
    var lag: Int64 = 0
    var stopping = false
    var watch: Task<Void, Never>?
  }

  private let admin: KafkaAdmin
  private let group: String
  private let limit: Int64
  private let log: Logger
  private let gauge: Gauge
  private let state = Mutex(State())

  init(_ context: ServiceContext) {
    admin = context.kafka.admin
    group = Topic.sendJobs.consumerGroup(prefix: context.settings[CRMSettings.kafkaGroupID])
    limit = Int64(context.settings[CRMSettings.sendLagLimit])
    log = context.log
    gauge = context.metrics.gauge(
      "minicrm_send_lag", help: "Records on campaign.send_jobs that the send workers have not completed."
    ).labels()
  }

  /// The last known lag, in records.
  var lag: Int64 { state.withLock { $0.lag } }

  func start() async throws {
    let task = Task { [self] in
      while !Task.isCancelled {
        await refresh()
        try? await Task.sleep(for: .seconds(1))
      }
    }
    state.withLock { $0.watch = task }
  }

  func stop(grace: Duration) async {
    let task = state.withLock { state in
      state.stopping = true
      return state.watch
    }
    task?.cancel()
    await task?.value
  }

  /// Returns when the lag is below its limit.
  ///
  /// - Throws: `CancellationError` when the process stops meanwhile; the job stays where it is.
  func wait() async throws {
    while true {
      let (lag, stopping) = state.withLock { ($0.lag, $0.stopping) }
      if stopping { throw CancellationError() }
      if lag <= limit { return }
      try await Task.sleep(for: .milliseconds(100))
    }
  }

  private func refresh() async {
    do {
      let partitions = try await admin.groupLag(group: group, topics: [Topic.sendJobs.name])
      let lag = partitions.reduce(0) { $0 + $1.lag }
      state.withLock { $0.lag = lag }
      gauge.set(Double(lag))
    } catch {
      log.debug("the lag of the send workers is not known now", [LogKey.error: .string("\(error)")])
    }
  }
}
