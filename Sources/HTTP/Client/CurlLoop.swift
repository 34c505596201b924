import CCurl
import Glibc
import Runtime
import Synchronization

/// The queue through which requests reach the thread that owns libcurl's multi handle, and that thread's body.
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
    /// Requests submitted whose outcome is not known.
    var outstanding = 0
  }

  private let inbox = Mutex(Inbox())
  private let configuration: HTTPClient.Configuration
  private let wakeUp: WakeUp

  /// `nil` when the process has no file descriptor left, or libcurl cannot be initialised.
  init?(_ configuration: HTTPClient.Configuration) {
    guard CurlLoop.isInitialized, let wakeUp = WakeUp() else { return nil }
    self.configuration = configuration
    self.wakeUp = wakeUp
  }

  deinit { wakeUp.destroy() }

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

  var outstanding: Int { inbox.withLock { $0.outstanding } }

  func cancel(_ id: UInt64) {
    enqueue { $0.commands.append(.cancel(id)) }
  }

  func close() {
    enqueue { $0.isClosing = true }
  }

  /// Changes the inbox, and wakes the thread unless it has been woken for what was there before.
  private func enqueue<T>(_ body: (inout sending Inbox) -> sending T) -> sending T {
    let (result, wakes) = inbox.withLock { inbox in
      let wasEmpty = inbox.commands.isEmpty
      let result = body(&inbox)
      return (result, inbox.isClosing || (wasEmpty && !inbox.commands.isEmpty))
    }
    if wakes { wakeUp.signal() }
    return result
  }

  /// The thread's body.
  func run() {
    guard let driver = CurlDriver(configuration, wakeUp: wakeUp) else {
      refuseAll()
      return
    }
    while true {
      let (commands, isClosing) = inbox.withLock { inbox in
        defer { inbox.commands.removeAll(keepingCapacity: true) }
        return (inbox.commands, inbox.isClosing)
      }
      for command in commands {
        switch command {
        case .start(let job): driver.enqueue(job)
        case .cancel(let id): driver.cancel(id)
        }
      }
      if isClosing { break }
      driver.turn()
      let ended = driver.takeEnded()
      if ended > 0 { inbox.withLock { $0.outstanding -= ended } }
      driver.wait()
    }
    driver.destroy()
  }

  /// Without a multi handle nothing can be sent, now or later.
  private func refuseAll() {
    let commands = inbox.withLock { inbox in
      inbox.isClosing = true
      return inbox.commands
    }
    for case .start(let job) in commands {
      let error = HTTPClientError(.closed, "libcurl could not be started", requestMayHaveBeenSent: false)
      job.continuation.resume(returning: .failure(error))
    }
  }
}
