import CCurl
import Glibc
import Runtime

/// Drives libcurl's multi handle with epoll; used by the loop's thread alone.
///
/// libcurl's own `curl_multi_poll` and `curl_multi_perform` look at every transfer and every socket each time: with 300
/// requests under way that cost half as much again for each of them.
final class CurlDriver {
  private let multi: UnsafeMutableRawPointer
  private let epoll: Int32
  private let wakeUp: WakeUp
  private let configuration: HTTPClient.Configuration
  private var waiting = Deque<CurlLoop.Job>()
  private var active: [UInt64: Transfer] = [:]
  private var idle: [Transfer] = []
  private var ended = 0
  /// How many active requests have a limit for their first byte.
  private var firstByteLimits = 0
  /// When libcurl wants to be called though no socket is ready.
  private var timer: ContinuousClock.Instant?
  private var nextScan = ContinuousClock.now
  private var readyDescriptors = [Int32](repeating: 0, count: 64)
  private var readyEvents = [UInt32](repeating: 0, count: 64)
  private var readyCount = 0

  /// How often deadlines are looked at that libcurl does not watch.
  private static let scanInterval = Duration.milliseconds(20)

  /// `nil` when memory or file descriptors have run out.
  init?(_ configuration: HTTPClient.Configuration, wakeUp: WakeUp) {
    let epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
    guard epoll >= 0 else { return nil }
    guard let multi = curl_multi_init() else {
      close(epoll)
      return nil
    }
    self.multi = multi
    self.epoll = epoll
    self.wakeUp = wakeUp
    self.configuration = configuration
    minicrm_epoll_control(epoll, EPOLL_CTL_ADD, wakeUp.descriptor, EPOLLIN.rawValue)
    minicrm_curl_multi_set_long(multi, CURLMOPT_MAX_HOST_CONNECTIONS, configuration.maxConnectionsPerHost)
    minicrm_curl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, configuration.maxConcurrent + 16)
    minicrm_curl_multi_set_callbacks(
      multi,
      { _, descriptor, what, context, known in
        guard let context else { return -1 }
        let driver = Unmanaged<CurlDriver>.fromOpaque(context).takeUnretainedValue()
        driver.watch(descriptor, what, isKnown: known != nil)
        return 0
      },
      { _, milliseconds, context in
        guard let context else { return -1 }
        let driver = Unmanaged<CurlDriver>.fromOpaque(context).takeUnretainedValue()
        driver.timer = milliseconds < 0 ? nil : .now + .milliseconds(milliseconds)
        return 0
      }, Unmanaged.passUnretained(self).toOpaque())
  }

  /// libcurl wants to hear of a socket, or no longer.
  private func watch(_ descriptor: Int32, _ what: Int32, isKnown: Bool) {
    if what == CURL_POLL_REMOVE {
      minicrm_epoll_control(epoll, EPOLL_CTL_DEL, descriptor, 0)
      return
    }
    var events: UInt32 = 0
    if what & CURL_POLL_IN != 0 { events |= EPOLLIN.rawValue }
    if what & CURL_POLL_OUT != 0 { events |= EPOLLOUT.rawValue }
    minicrm_epoll_control(epoll, isKnown ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, descriptor, events)
    // Any pointer will do: it comes back as `known`, until the socket is removed.
    if !isKnown { curl_multi_assign(multi, descriptor, multi) }
  }

  func enqueue(_ job: CurlLoop.Job) { waiting.append(job) }

  func takeEnded() -> Int {
    defer { ended = 0 }
    return ended
  }

  /// Starts what can start, tells libcurl which sockets are ready, and hands out what has finished.
  func turn() {
    var running: Int32 = 0
    for index in 0..<readyCount where readyDescriptors[index] != wakeUp.descriptor {
      let events = readyEvents[index]
      var mask: Int32 = 0
      if events & EPOLLIN.rawValue != 0 { mask |= CURL_CSELECT_IN }
      if events & EPOLLOUT.rawValue != 0 { mask |= CURL_CSELECT_OUT }
      if events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0 { mask |= CURL_CSELECT_ERR }
      curl_multi_socket_action(multi, readyDescriptors[index], mask, &running)
    }
    readyCount = 0
    handOutFinished()
    startWaiting()
    let now = ContinuousClock.now
    if let due = timer, due <= now {
      timer = nil
      curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running)
      handOutFinished()
    }
    if now >= nextScan {
      nextScan = now + Self.scanInterval
      checkDeadlines(now)
    }
  }

  /// Waits for a socket, a deadline or a command, a second at most.
  func wait() {
    var limit: Duration = !waiting.isEmpty || firstByteLimits > 0 ? Self.scanInterval : .seconds(1)
    if let timer { limit = min(limit, ContinuousClock.now.duration(to: timer)) }
    let count = minicrm_epoll_wait(epoll, &readyDescriptors, &readyEvents, Int32(limit.millisecondsRoundedUp))
    readyCount = Int(max(0, count))
    for index in 0..<readyCount where readyDescriptors[index] == wakeUp.descriptor { wakeUp.clear() }
  }

  private func handOutFinished() {
    var easy: UnsafeMutableRawPointer?
    var code = CURLE_OK
    while minicrm_curl_multi_next_done(multi, &easy, &code) != 0, let easy {
      guard let context = minicrm_curl_get_private(easy) else { continue }
      let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
      guard let job = transfer.job else { continue }
      let outcome = transfer.outcome(code)
      retire(transfer, job)
      end(job, outcome)
    }
  }

  private func startWaiting() {
    while active.count < configuration.maxConcurrent, let job = waiting.popFirst() { start(job) }
  }

  private func start(_ job: CurlLoop.Job) {
    let now = ContinuousClock.now
    if job.deadline <= now {
      end(job, .failure(Self.waitedTooLong))
      return
    }
    guard let transfer = idle.popLast() ?? Transfer(maxIdle: configuration.maxIdle) else {
      end(job, .failure(HTTPClientError(.overloaded, "out of memory", requestMayHaveBeenSent: false)))
      return
    }
    let code = transfer.prepare(job, now: now)
    guard code == CURLE_OK, curl_multi_add_handle(multi, transfer.easy) == CURLM_OK else {
      let outcome = transfer.outcome(code == CURLE_OK ? CURLE_FAILED_INIT : code)
      transfer.release()
      idle.append(transfer)
      end(job, outcome)
      return
    }
    active[job.id] = transfer
    if job.request.timeouts.firstByte != nil { firstByteLimits += 1 }
  }

  private func retire(_ transfer: Transfer, _ job: CurlLoop.Job) {
    curl_multi_remove_handle(multi, transfer.easy)
    transfer.release()
    active[job.id] = nil
    if job.request.timeouts.firstByte != nil { firstByteLimits -= 1 }
    idle.append(transfer)
  }

  private func end(_ job: CurlLoop.Job, _ outcome: CurlLoop.Outcome) {
    ended += 1
    job.continuation.resume(returning: outcome)
  }

  func cancel(_ id: UInt64) {
    if let transfer = active[id], let job = transfer.job {
      let error = transfer.abandoned(.cancelled, "cancelled")
      retire(transfer, job)
      end(job, .failure(error))
      return
    }
    filterWaiting { $0.id == id ? HTTPClientError(.cancelled, "cancelled", requestMayHaveBeenSent: false) : nil }
  }

  private func checkDeadlines(_ now: ContinuousClock.Instant) {
    for transfer in active.values where firstByteLimits > 0 {
      guard let deadline = transfer.firstByteDeadline, deadline <= now, let job = transfer.job else { continue }
      let error = transfer.firstByteMissed()
      retire(transfer, job)
      end(job, .failure(error))
    }
    if !waiting.isEmpty { filterWaiting { $0.deadline <= now ? Self.waitedTooLong : nil } }
  }

  private static let waitedTooLong = HTTPClientError(
    .timedOut(.connect), "waited too long for a free connection", requestMayHaveBeenSent: false)

  /// Ends the waiting requests for which `verdict` has an error.
  private func filterWaiting(_ verdict: (CurlLoop.Job) -> HTTPClientError?) {
    for job in waiting.removeAll() {
      if let error = verdict(job) {
        end(job, .failure(error))
      } else {
        waiting.append(job)
      }
    }
  }

  /// Ends everything that is under way and frees what belongs to libcurl.
  func destroy() {
    for transfer in active.values {
      guard let job = transfer.job else { continue }
      let error = transfer.abandoned(.closed, "the client was closed")
      retire(transfer, job)
      end(job, .failure(error))
    }
    filterWaiting { _ in HTTPClientError(.closed, "the client was closed", requestMayHaveBeenSent: false) }
    for transfer in idle { transfer.destroy() }
    idle = []
    curl_multi_cleanup(multi)
    close(epoll)
  }
}
