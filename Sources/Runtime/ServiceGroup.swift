import Dispatch
import Foundation
import JSON
import Synchronization

/// A part of a process that is started and stopped.
public protocol Service: Sendable {
  /// As logs name it.
  var name: String { get }
  /// Returns when the service works. Throwing ends the process.
  func start() async throws
  /// Stops taking work, finishes what it has within `grace`, and frees what it holds.
  func stop(grace: Duration) async
}

/// Starts services in order, waits for a signal or a failure, and stops them in reverse within a bounded time.
public final class ServiceGroup: Sendable {
  /// Why the process ends.
  public enum Ending: Sendable {
    case signal(String)
    case failure(String)
    case request
  }

  private let log: Logger
  private let stopWithin: Duration
  private let services: [any Service]
  private let ending = Latch<Ending>()
  private let announceStopping: @Sendable () -> Void

  /// - Parameters:
  ///   - services: dependencies first.
  ///   - stopWithin: the time that stopping all of them may take; afterwards the process exits regardless.
  ///   - stopping: called once before the first service stops (to leave readiness).
  public init(
    _ services: [any Service], stopWithin: Duration = .seconds(28), log: Logger,
    stopping: @escaping @Sendable () -> Void = {}
  ) {
    self.services = services
    self.stopWithin = stopWithin
    self.log = log
    announceStopping = stopping
  }

  /// Ends the process in order, with exit code 1: for a service that cannot go on.
  public func fail(_ reason: String) { ending.set(.failure(reason)) }

  /// Ends the process in order, with exit code 0.
  public func stop() { ending.set(.request) }

  /// Runs until SIGTERM, SIGINT, `stop` or `fail`.
  ///
  /// - Returns: the exit code: 0 after a signal or `stop`, 1 after a failure.
  public func run() async -> Int32 {
    let sources = listenForSignals()
    defer { for source in sources { source.cancel() } }
    var started: [any Service] = []
    var code: Int32 = 0
    do {
      for service in services {
        started.append(service)
        try await startUnlessEnded(service)
      }
      log.info("started", ["services": .array(started.map { .string($0.name) })])
      if let why = await ending.wait() { code = report(why) }
    } catch let interruption as Interrupted {
      code = report(interruption.ending)
    } catch {
      log.error("could not start \(started.last?.name ?? "")", [LogKey.error: .string("\(error)")])
      code = 1
    }
    announceStopping()
    await stopAll(started)
    return code
  }

  private struct Interrupted: Error { let ending: Ending }

  /// A start that waits for a dependency must not outlive a signal.
  private func startUnlessEnded(_ service: any Service) async throws {
    try await withThrowingTaskGroup(of: Ending?.self) { group in
      group.addTask {
        try await service.start()
        return nil
      }
      group.addTask { [ending] in await ending.wait() }
      defer { group.cancelAll() }
      if let first = try await group.next(), let why = first { throw Interrupted(ending: why) }
    }
  }

  private func stopAll(_ started: [any Service]) async {
    let deadline = ContinuousClock.now + stopWithin
    let watchdog = Task.detached { [log, stopWithin] in
      try await Task.sleep(for: stopWithin + .seconds(1))
      log.error("stopping took longer than \(stopWithin); exiting now")
      exit(1)
    }
    for service in started.reversed() {
      let began = ContinuousClock.now
      await service.stop(grace: max(.seconds(1), began.duration(to: deadline)))
      log.debug("stopped \(service.name)")
    }
    watchdog.cancel()
    log.info("stopped")
  }

  private func report(_ ending: Ending) -> Int32 {
    switch ending {
    case .signal(let name):
      log.info("stopping on \(name)")
      return 0
    case .request:
      log.info("stopping as asked")
      return 0
    case .failure(let reason):
      log.error("stopping because of a failure", [LogKey.error: .string(reason)])
      return 1
    }
  }

  private func listenForSignals() -> [any DispatchSourceSignal] {
    signal(SIGPIPE, SIG_IGN)
    return [(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT")].map { number, name in
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler { [ending] in ending.set(.signal(name)) }
      source.resume()
      return source
    }
  }
}
