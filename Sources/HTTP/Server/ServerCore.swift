import Glibc
import Synchronization

/// What all connections of a server share.
final class ServerCore: Sendable {
  static let pageSize = sysconf(Int32(_SC_PAGESIZE))
  /// Handlers of larger requests do not start on libmicrohttpd's threads.
  static let inlineBodyLimit = 64 << 10

  let configuration: HTTPServer.Configuration
  let router: HTTPRouter
  let responder: any HTTPResponder
  let log: @Sendable (String) -> Void
  let table = ConnectionTable()
  /// Wakes the thread that accepts connections; `nil` when the process had no file descriptor left.
  let wakeUp = WakeUp()

  private let inFlightCount = Atomic(0)
  private let stopping = Atomic(false)
  private let halted = Atomic(false)
  private let requestCounter = Atomic<UInt64>(0)
  private let requestPrefix: String

  init(
    configuration: HTTPServer.Configuration, router: HTTPRouter, responder: any HTTPResponder,
    log: @escaping @Sendable (String) -> Void
  ) {
    self.configuration = configuration
    self.router = router
    self.responder = responder
    self.log = log
    let random = UInt64.random(in: 0..<(1 << 40))
    requestPrefix = String(random + 1 << 40, radix: 16).dropFirst() + "-"
  }

  // The workers and the watch retain the core as long as they can use it.
  deinit { wakeUp?.destroy() }

  var inFlight: Int { inFlightCount.load(ordering: .acquiring) }
  var isStopping: Bool { stopping.load(ordering: .relaxed) }

  /// What is sent: a handler's response or the rendered problem, finished as every answer is.
  ///
  /// - Parameter request: `nil` when its head never came.
  func response(for outcome: ExchangeState.Outcome, to request: HTTPRequest?) -> HTTPResponse {
    var answer =
      switch outcome {
      case .success(let response) where (200...599).contains(response.status): response
      case .success: router.errorRenderer(.handlerFailed(InvalidStatus()), request)
      case .failure(let problem): router.errorRenderer(problem, request)
      }
    responder.finish(&answer, for: request)
    return answer
  }

  /// An id that is unlike those of other processes and unlike those before it.
  func nextRequestID() -> String {
    requestPrefix + String(requestCounter.add(1, ordering: .relaxed).newValue, radix: 16)
  }

  // MARK: - Connections and exchanges, on libmicrohttpd's threads

  func begin(_ connection: Connection, _ mhd: OpaquePointer, _ target: UnsafePointer<CChar>) -> Exchange {
    let exchange = Exchange(
      core: self, connection: connection, mhd: mhd, target: target, began: connection.requestBegan ?? .now)
    connection.begin(exchange)
    inFlightCount.add(1, ordering: .acquiringAndReleasing)
    // After it can be found by `halt`, so that it cannot be missed.
    if halted.load(ordering: .sequentiallyConsistent) { exchange.halt() }
    return exchange
  }

  func ended(_ exchange: Exchange, completed: Bool) {
    exchange.finish(completed: completed, now: .now)
    inFlightCount.subtract(1, ordering: .acquiringAndReleasing)
  }

  func connectionClosed(_ connection: Connection) {
    connection.markClosed()
    // Only at the limit does the acceptance of another wait for this.
    if table.remove(connection) == configuration.connectionLimit - 1 { wakeUp?.signal() }
  }

  // MARK: - Deadlines, on the watching thread

  /// Ends whatever has exceeded its deadline. Returns the exchanges whose clients may have gone unnoticed.
  func checkDeadlines(now: ContinuousClock.Instant) -> [Exchange] {
    var probes: [Exchange] = []
    let interval = configuration.deadlines.headers / 10
    for connection in table.all {
      switch connection.phase(at: now, asking: interval).verdict(at: now, configuration.deadlines) {
      case .keep: break
      case .close: connection.shutDown()
      case .requestTimedOut: connection.exchange?.requestTimedOut()
      case .handlerTimedOut(let deadline): connection.exchange?.handlerTimedOut(after: deadline)
      case .probe: if let exchange = connection.exchange { probes.append(exchange) }
      }
    }
    return probes
  }

  // MARK: - Stopping

  /// From now on every response closes its connection; idle connections and endless responses end now.
  func beginStopping() {
    stopping.store(true, ordering: .relaxed)
    for connection in table.all {
      connection.endIfIdle()
      connection.exchange?.endIfEndless()
    }
  }

  /// Answers 503 to what is still unanswered, cancels the handlers and ends every connection.
  func halt() {
    halted.store(true, ordering: .sequentiallyConsistent)
    for connection in table.all { connection.exchange?.halt() }
  }

  func shutDownConnections() {
    for connection in table.all { connection.shutDown() }
  }
}

/// A handler's response had a status that is none of a final response.
struct InvalidStatus: Error {}
