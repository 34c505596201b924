import CCurl
import Runtime
import Synchronization

/// The thread that owns libcurl's multi handle, and the queue through which others reach it.
final class CurlLoop: Sendable {
  typealias Outcome = Result<HTTPClientResponse, HTTPClientError>

  struct Job: Sendable {
    let id: UInt64
    let request: HTTPClientRequest
    let deadline: ContinuousClock.Instant
    let continuation: CheckedContinuation<Outcome, Never>
  }

  private enum Command {
    case start(Job)
    case cancel(UInt64)
  }

  private struct Inbox {
    var commands: [Command] = []
    var isClosing = false
    var isClosed = false
    /// Requests submitted whose outcome is not known.
    var outstanding = 0
  }

  private let inbox = Mutex(Inbox())
  private let configuration: HTTPClient.Configuration
  // curl_multi_wakeup may be called from any thread; everything else happens on the loop's own.
  nonisolated(unsafe) private let multi: UnsafeMutableRawPointer

  /// `nil` when libcurl cannot make its handle.
  init?(_ configuration: HTTPClient.Configuration) {
    guard CurlLoop.isInitialized, let multi = curl_multi_init() else { return nil }
    self.multi = multi
    self.configuration = configuration
    minicrm_curl_multi_set_long(multi, CURLMOPT_MAX_HOST_CONNECTIONS, configuration.maxConnectionsPerHost)
    minicrm_curl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, configuration.maxConcurrent + 16)
    minicrm_curl_multi_set_long(multi, CURLMOPT_PIPELINING, Int(CURLPIPE_NOTHING))
  }

  /// Once in the life of the process.
  private static let isInitialized = curl_global_init(Int(CURL_GLOBAL_ALL)) == CURLE_OK

  /// Hands over a request. Returns an error if it is refused; else its continuation gets the outcome.
  func submit(_ job: Job) -> HTTPClientError? {
    enqueue { inbox in
      if inbox.isClosing { return HTTPClientError(.closed, "the client is closed", requestMayHaveBeenSent: false) }
      if inbox.outstanding >= configuration.maxConcurrent + configuration.maxWaiting {
        return HTTPClientError(.overloaded, "too many requests wait", requestMayHaveBeenSent: false)
      }
      inbox.outstanding += 1
      inbox.commands.append(.start(job))
      return nil
    }
  }

  func cancel(_ id: UInt64) {
    enqueue { $0.commands.append(.cancel(id)) }
  }

  func close() {
    enqueue { $0.isClosing = true }
  }

  /// Changes the inbox and wakes the thread if it may not have looked yet.
  private func enqueue<T: Sendable>(_ body: (inout Inbox) -> T) -> T {
    inbox.withLock { inbox in
      let wasEmpty = inbox.commands.isEmpty && !inbox.isClosing
      let result = body(&inbox)
      // Under the lock: after `isClosed` the handle is gone.
      if wasEmpty, !inbox.isClosed, !inbox.commands.isEmpty || inbox.isClosing { curl_multi_wakeup(multi) }
      return result
    }
  }

  /// The thread's body.
  func run() {
    var state = LoopState(multi: multi, configuration: configuration)
    while true {
      let (commands, isClosing) = inbox.withLock { inbox in
        defer { inbox.commands.removeAll(keepingCapacity: true) }
        return (inbox.commands, inbox.isClosing)
      }
      for command in commands {
        switch command {
        case .start(let job): state.waiting.append(job)
        case .cancel(let id): state.cancel(id)
        }
      }
      if isClosing { break }
      state.turn()
      let ended = state.takeEnded()
      if ended > 0 { inbox.withLock { $0.outstanding -= ended } }
      curl_multi_poll(multi, nil, 0, Int32(state.pollTimeout), nil)
    }
    inbox.withLock { $0.isClosed = true }
    state.destroy()
    curl_multi_cleanup(multi)
  }
}

/// What the loop's thread alone knows.
private struct LoopState {
  let multi: UnsafeMutableRawPointer
  let configuration: HTTPClient.Configuration
  var waiting = Deque<CurlLoop.Job>()
  private var active: [UInt64: Transfer] = [:]
  private var idle: [Transfer] = []
  private var ended = 0
  private var nextScan = ContinuousClock.now

  /// How often deadlines are looked at that libcurl does not watch.
  private static let scanInterval = Duration.milliseconds(20)

  init(multi: UnsafeMutableRawPointer, configuration: HTTPClient.Configuration) {
    self.multi = multi
    self.configuration = configuration
  }

  var pollTimeout: Int {
    let hasDeadlines = !waiting.isEmpty || active.values.contains { $0.firstByteDeadline != nil }
    return hasDeadlines ? Self.scanInterval.millisecondsRoundedUp : 1000
  }

  mutating func takeEnded() -> Int {
    defer { ended = 0 }
    return ended
  }

  /// Starts what can start, lets libcurl work, and hands out what has finished.
  mutating func turn() {
    startWaiting()
    var running: Int32 = 0
    repeat {
      curl_multi_perform(multi, &running)
      var easy: UnsafeMutableRawPointer?
      var code = CURLE_OK
      var isFreed = false
      while minicrm_curl_multi_next_done(multi, &easy, &code) != 0, let easy {
        complete(easy, code)
        isFreed = true
      }
      if !isFreed { break }
    } while startWaiting()
    let now = ContinuousClock.now
    if now >= nextScan {
      nextScan = now + Self.scanInterval
      checkDeadlines(now)
    }
  }

  @discardableResult
  private mutating func startWaiting() -> Bool {
    var isStarted = false
    while active.count < configuration.maxConcurrent, let job = waiting.popFirst() {
      start(job)
      isStarted = true
    }
    return isStarted
  }

  private mutating func start(_ job: CurlLoop.Job) {
    let now = ContinuousClock.now
    if job.deadline <= now {
      end(job, .failure(Self.waitedTooLong))
      return
    }
    guard let transfer = idle.popLast() ?? Transfer(maximumIdle: configuration.maxIdle) else {
      end(job, .failure(HTTPClientError(.overloaded, "out of memory", requestMayHaveBeenSent: false)))
      return
    }
    let code = transfer.prepare(job, now: now)
    guard code == CURLE_OK, curl_multi_add_handle(multi, transfer.easy) == CURLM_OK else {
      end(job, transfer.finish(code == CURLE_OK ? CURLE_FAILED_INIT : code))
      idle.append(transfer)
      return
    }
    active[job.id] = transfer
  }

  private mutating func complete(_ easy: UnsafeMutableRawPointer, _ code: CURLcode) {
    guard let context = minicrm_curl_get_private(easy) else { return }
    let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
    guard let job = transfer.job else { return }
    // The outcome first: removing the handle forgets nothing, but its numbers belong to the transfer.
    let outcome = transfer.finish(code)
    retire(transfer, job)
    end(job, outcome)
  }

  private mutating func retire(_ transfer: Transfer, _ job: CurlLoop.Job) {
    curl_multi_remove_handle(multi, transfer.easy)
    active[job.id] = nil
    idle.append(transfer)
  }

  private mutating func end(_ job: CurlLoop.Job, _ outcome: CurlLoop.Outcome) {
    ended += 1
    job.continuation.resume(returning: outcome)
  }

  mutating func cancel(_ id: UInt64) {
    if let transfer = active[id], let job = transfer.job {
      let error = transfer.abandon(.cancelled, "cancelled")
      retire(transfer, job)
      end(job, .failure(error))
      return
    }
    filterWaiting { $0.id == id ? HTTPClientError(.cancelled, "cancelled", requestMayHaveBeenSent: false) : nil }
  }

  private mutating func checkDeadlines(_ now: ContinuousClock.Instant) {
    for transfer in active.values {
      guard let deadline = transfer.firstByteDeadline, deadline <= now, let job = transfer.job else { continue }
      let error = transfer.timeOutFirstByte()
      retire(transfer, job)
      end(job, .failure(error))
    }
    if !waiting.isEmpty { filterWaiting { $0.deadline <= now ? Self.waitedTooLong : nil } }
  }

  private static let waitedTooLong = HTTPClientError(
    .timedOut(.connect), "waited too long for a free connection", requestMayHaveBeenSent: false)

  /// Ends the waiting requests for which `verdict` has an error.
  private mutating func filterWaiting(_ verdict: (CurlLoop.Job) -> HTTPClientError?) {
    for job in waiting.removeAll() {
      if let error = verdict(job) {
        end(job, .failure(error))
      } else {
        waiting.append(job)
      }
    }
  }

  /// Ends everything that is under way.
  mutating func destroy() {
    for transfer in active.values {
      guard let job = transfer.job else { continue }
      let error = transfer.abandon(.closed, "the client was closed")
      retire(transfer, job)
      end(job, .failure(error))
    }
    filterWaiting { _ in HTTPClientError(.closed, "the client was closed", requestMayHaveBeenSent: false) }
    for transfer in idle { transfer.destroy() }
    idle = []
  }
}
