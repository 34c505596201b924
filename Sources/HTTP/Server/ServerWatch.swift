import Glibc
import Synchronization

/// The thread that accepts connections and watches deadlines.
///
/// Connections are accepted here and not by libmicrohttpd: its way to stop listening aborts the process when it meets
/// a worker at the wrong moment, and the limits per address and the start of the header deadline belong to acceptance.
// @unchecked: the variables belong to the one thread that runs `run`.
final class ServerWatch: @unchecked Sendable {
  private let core: ServerCore
  private let workers: [ServerWorker]
  private let wakeUp: WakeUp
  private var listener: ListeningSocket?
  private var nextWorker = 0
  private var lastRefusalLogged: ContinuousClock.Instant?
  private let isListening = Atomic(true)
  private let isRunning = Atomic(true)

  init(core: ServerCore, workers: [ServerWorker], listener: ListeningSocket, wakeUp: WakeUp) {
    self.core = core
    self.workers = workers
    self.listener = listener
    self.wakeUp = wakeUp
  }

  /// Closes the listening socket soon; what waits in its queue is refused.
  func stopListening() {
    isListening.store(false, ordering: .releasing)
    wakeUp.signal()
  }

  func end() {
    isListening.store(false, ordering: .releasing)
    isRunning.store(false, ordering: .releasing)
    wakeUp.signal()
  }

  /// The thread's body.
  func run() {
    let interval = core.configuration.deadlines.checkInterval
    var nextCheck = ContinuousClock.now + interval
    var retryAccept: ContinuousClock.Instant?
    while isRunning.load(ordering: .acquiring) {
      if !isListening.load(ordering: .acquiring) { closeListener() }
      var now = ContinuousClock.now
      if let at = retryAccept, at <= now { retryAccept = nil }
      let accepts = retryAccept == nil && core.table.count < core.configuration.connectionLimit
      var watched = [pollfd(fd: wakeUp.descriptor, events: Int16(POLLIN), revents: 0)]
      if accepts, let listener { watched.append(pollfd(fd: listener.descriptor, events: Int16(POLLIN), revents: 0)) }
      poll(&watched, nfds_t(watched.count), Int32(max(0, now.duration(to: nextCheck).millisecondsRoundedUp)))
      if watched[0].revents != 0 { wakeUp.clear() }
      if watched.count > 1, watched[1].revents != 0, acceptWaiting() { retryAccept = .now + .milliseconds(50) }
      now = .now
      if now >= nextCheck {
        nextCheck = now + interval
        probe(core.checkDeadlines(now: now))
      }
    }
    closeListener()
  }

  private func closeListener() {
    if let listener { close(listener.descriptor) }
    listener = nil
  }

  /// Accepts what waits, a bounded number at a time. Returns whether file descriptors have run out.
  private func acceptWaiting() -> Bool {
    guard let listener else { return false }
    var isExhausted = false
    for _ in 0..<64 {
      guard core.table.count < core.configuration.connectionLimit,
        let (descriptor, address, length) = listener.accept(isExhausted: &isExhausted)
      else { break }
      let text = ListeningSocket.text(address, length)
      let worker = workers[nextWorker]
      let connection = Connection(descriptor: descriptor, address: text, worker: worker, now: .now)
      guard core.table.insert(connection, perAddressLimit: core.configuration.perAddressLimit) else {
        close(descriptor)
        logRefusal(of: text)
        continue
      }
      nextWorker = (nextWorker + 1) % workers.count
      worker.take(connection, address, length)
    }
    if isExhausted { core.log("no file descriptor left for another connection") }
    return isExhausted
  }

  /// At most once a second: whoever is refused may try again at once, and for ever.
  private func logRefusal(of address: String) {
    let now = ContinuousClock.now
    if let last = lastRefusalLogged, last.duration(to: now) < .seconds(1) { return }
    lastRefusalLogged = now
    core.log("connections refused: \(address) has \(core.configuration.perAddressLimit) open")
  }

  /// Looks for clients that have gone where libmicrohttpd does not: while a streamed response waits for its producer,
  /// and at the end of what came of a body, as it forgets the end of a stream that it meets together with data.
  private func probe(_ exchanges: [Exchange]) {
    guard !exchanges.isEmpty else { return }
    // POLLRDHUP is not imported; its value is part of Linux's interface.
    let hangUp: Int16 = 0x2000
    var watched = exchanges.map { pollfd(fd: $0.connection.descriptor, events: hangUp, revents: 0) }
    poll(&watched, nfds_t(watched.count), 0)
    for (exchange, result) in zip(exchanges, watched) where result.revents != 0 { exchange.clientHungUp() }
  }
}
