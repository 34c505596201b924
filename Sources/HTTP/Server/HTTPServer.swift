import Glibc
import Runtime
import Synchronization

/// An HTTP/1.1 server: libmicrohttpd moves the bytes, this type decides what is a request, how long anything may take,
/// and who answers.
///
/// ```swift
/// let server = HTTPServer(.init(port: 8080), router: router, responder: RequestLog(next: router))
/// try server.start()
/// …
/// await server.stop(grace: .seconds(10))
/// ```
/// A handler starts when its request is complete, or on a route that streams when the head is. Those of small requests
/// run on the thread that read the request until they first suspend, so they must never block.
///
/// The server has to be stopped: letting go of it does not end it.
public final class HTTPServer: Sendable {
  private struct Running: Sendable {
    let workers: [(worker: ServerWorker, thread: OwnedThread)]
    let watch: ServerWatch
    let thread: OwnedThread
  }

  private enum State {
    case new
    case running(Running)
    case stopped
  }

  private let core: ServerCore
  private let state = Mutex(State.new)
  private let boundPort = Atomic(0)

  /// - Parameters:
  ///   - router: says which routes exist, how large their bodies may be and how long they may take. Its error
  ///     renderer makes the server's own responses.
  ///   - responder: answers the requests; the router itself, or middleware that ends in it. It finishes whatever is
  ///     sent, the server's own responses among it.
  ///   - log: told in a sentence about events that belong to no request, from any thread; must not block.
  public init(
    _ configuration: Configuration, router: HTTPRouter, responder: (any HTTPResponder)? = nil,
    log: @escaping @Sendable (String) -> Void = { _ in }
  ) {
    core = ServerCore(configuration: configuration, router: router, responder: responder ?? router, log: log)
  }

  /// The port it listens at, once started.
  public var port: Int { boundPort.load(ordering: .acquiring) }

  /// Connections open now.
  public var openConnections: Int { core.table.count }

  /// Requests whose response has not been sent entirely.
  public var requestsInFlight: Int { core.inFlight }

  /// Binds the port and begins to serve.
  public func start() throws(HTTPServerError) {
    guard let wakeUp = core.wakeUp else { throw .outOfResources }
    let listener = try ListeningSocket(host: core.configuration.host, port: core.configuration.port)
    let isStarted = state.withLock { state -> Result<Void, HTTPServerError> in
      guard case .new = state else { return .failure(.alreadyStarted) }
      guard let workers = makeWorkers() else { return .failure(.outOfResources) }
      let running = workers.enumerated().map { index, worker in
        (worker, OwnedThread.start(name: "http-\(index)") { worker.run() })
      }
      let watch = ServerWatch(core: core, workers: workers, listener: listener, wakeUp: wakeUp)
      let thread = OwnedThread.start(name: "http-watch") { watch.run() }
      state = .running(Running(workers: running, watch: watch, thread: thread))
      return .success(())
    }
    if case .failure(let error) = isStarted {
      close(listener.descriptor)
      throw error
    }
    boundPort.store(listener.port, ordering: .releasing)
  }

  /// Stops: the port is closed, idle connections and endless responses end, and requests under way are answered, each
  /// with `Connection: close`. What is unanswered after `grace` gets a 503 and its handler is cancelled.
  ///
  /// Returns when no thread of the server runs any more, a few seconds after `grace` at the latest.
  public func stop(grace: Duration) async {
    let running = state.withLock { state -> Running? in
      guard case .running(let running) = state else { return nil }
      state = .stopped
      return running
    }
    guard let running else { return }
    running.watch.stopListening()
    core.beginStopping()
    _ = await isQuiet(within: grace)
    // Also when all is quiet: a request may begin at any time on a connection that is open, and from here on none can
    // be suspended.
    core.halt()
    if await !isQuiet(within: .milliseconds(500)) {
      core.shutDownConnections()
      _ = await isQuiet(within: .seconds(5))
    }
    running.watch.end()
    await running.thread.joined()
    guard core.inFlight == 0 else {
      // libmicrohttpd aborts the process if it is stopped while a connection is suspended: rather leave it behind.
      core.log("\(core.inFlight) requests could not be ended; the server's threads are left behind")
      return
    }
    for (worker, _) in running.workers { worker.end() }
    for (_, thread) in running.workers { await thread.joined() }
    core.table.removeAll()
  }

  /// Waits until no request is under way; looks every few milliseconds.
  private func isQuiet(within limit: Duration) async -> Bool {
    let end = ContinuousClock.now + limit
    while core.inFlight > 0 {
      if ContinuousClock.now >= end { return false }
      // A cancelled task still has to stop the server in order: the pause is not cancellable.
      await Task.detached { try? await Task.sleep(for: .milliseconds(5)) }.value
    }
    return true
  }

  private func makeWorkers() -> [ServerWorker]? {
    var workers: [ServerWorker] = []
    for _ in 0..<max(1, core.configuration.threads) {
      guard let worker = ServerWorker(core: core) else {
        for worker in workers { worker.discard() }
        return nil
      }
      workers.append(worker)
    }
    return workers
  }
}
