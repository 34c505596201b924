import CRMCore
import CRMMessaging
import CRMStore
import Crypto
import JSON
import Runtime
import ServiceHost
import Synchronization

/// Merges a batch of evidence: one transaction for the rows it changes and the counters they move.
final class Merger: Sendable {
  private let store: Store
  private let log: Logger
  private let anomalies: MetricFamily<Counter>
  private let seconds: Histogram
  private let touched = Mutex<Set<UUIDBytes>>([])

  init(_ context: ServiceContext) {
    store = context.store
    log = context.log
    anomalies = context.instruments.receiptAnomalies
    seconds = context.instruments.stage("merge")
  }

  @Sendable func handle(_ batch: [Incoming<Told>]) async throws -> BatchOutcome {
    let began = ContinuousClock.now
    var events: [UUIDBytes: [SendEvent]] = [:]
    events.reserveCapacity(batch.count)
    for incoming in batch { events[incoming.message.sendID, default: []].append(incoming.message.event) }
    let report = try await store.merge(events)
    seconds.observe(began.duration(to: .now))
    for (kind, count) in report.anomalies { anomalies.labels(kind).add(count) }
    touched.withLock { $0.formUnion(report.runs) }
    return .done
  }

  /// Merges evidence that was parked because its row did not exist.
  func mergeParked() async {
    do {
      while !Task.isCancelled {
        let (report, looked) = try await store.mergeParked(limit: Self.parkedAtOnce)
        for (kind, count) in report.anomalies { anomalies.labels(kind).add(count) }
        touched.withLock { $0.formUnion(report.runs) }
        if report.changed > 0 { log.info("parked evidence merged", [LogKey.count: .int(Int64(report.changed))]) }
        if looked < Self.parkedAtOnce { return }
      }
    } catch {
      log.warning("parked evidence could not be merged; it is tried again", [LogKey.error: .string("\(error)")])
    }
  }

  private static let parkedAtOnce = 500

  /// Completes the runs that were touched since the last call and have nothing under way.
  func completeTouchedRuns() async {
    let runs = touched.withLock { touched in
      defer { touched = [] }
      return touched
    }
    for run in runs {
      do {
        if try await store.completeIfDone(run) { log.info("run completed", [LogKey.runID: .string(run.string)]) }
      } catch {
        log.warning("a run could not be completed; it is tried again", [LogKey.error: .string("\(error)")])
        touched.withLock { _ = $0.insert(run) }
      }
    }
  }
}

/// Looks a few times a second whether runs that got evidence are done, and every few seconds after parked evidence.
final class CompletionWatch: Service {
  let name = "completion"
  private let merger: Merger
  private let task = Mutex<Task<Void, Never>?>(nil)
  private static let interval = Duration.milliseconds(250)
  private static let roundsBetweenParked = 8

  init(_ merger: Merger, _ context: ServiceContext) { self.merger = merger }

  func start() async throws {
    let watching = Task { [merger] in
      var round = 0
      while !Task.isCancelled {
        try? await Task.sleep(for: Self.interval)
        round += 1
        if round % Self.roundsBetweenParked == 0 { await merger.mergeParked() }
        await merger.completeTouchedRuns()
      }
    }
    task.withLock { $0 = watching }
  }

  func stop(grace: Duration) async {
    let watching = task.withLock { $0 }
    watching?.cancel()
    await watching?.value
  }
}
