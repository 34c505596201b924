import CMicroHTTPD
import Glibc
import Runtime
import Synchronization

/// A thread that moves the bytes of its share of the connections, and the libmicrohttpd daemon that it drives.
///
/// libmicrohttpd has threads for this, but in 0.9.75 they wait for events again, for as long as it takes, whenever they
/// got as many at once as they have room for (128), and what they got is not looked at meanwhile: a burst of requests
/// can stay unanswered until something else happens. Here waiting is ours, and the daemon is run only to do what is
/// there to do.
// @unchecked: the daemon's pointer is constant; it is used on the worker's thread only, except to resume connections,
// which any thread may do. `progress` belongs to the worker's thread.
final class ServerWorker: @unchecked Sendable {
  /// A connection that has been accepted, on its way to the thread.
  private struct Arrival {
    let connection: Connection
    var address: sockaddr_storage
    let length: socklen_t
  }

  /// Nothing depends on this; no wait is without an end.
  private static let longestWait: UInt64 = 1000
  /// How often the daemon is run before the thread looks at what else there is.
  private static let runsAtATime = 16
  /// How often in a row the daemon may say that there is more to do and then do nothing.
  private static let idleRunsAtATime = 4
  /// How long to wait after that, in milliseconds.
  private static let waitWhenStuck: UInt64 = 50

  private let core: ServerCore
  private let daemon: OpaquePointer
  private let events: Int32
  private let wakeUp: WakeUp
  private let arrivals = Mutex<[Arrival]>([])
  private let isRunning = Atomic(true)
  /// Whether `wakeUp` has been signalled since the thread last woke: saves a system call for each of many resumptions.
  private let isSignalled = Atomic(false)
  private var progress: UInt64 = 0

  /// `nil` when the machine is out of memory or file descriptors. Either `run` or `discard` has to be called.
  init?(core: ServerCore) {
    guard let wakeUp = WakeUp() else { return nil }
    guard let daemon = Self.startDaemon(core) else {
      wakeUp.destroy()
      return nil
    }
    self.core = core
    self.daemon = daemon
    self.wakeUp = wakeUp
    events = minicrm_mhd_epoll_fd(daemon)
  }

  // Whoever may signal it holds the worker.
  deinit { wakeUp.destroy() }

  // MARK: - From any thread

  /// Hands over a connection that has been accepted.
  func take(_ connection: Connection, _ address: sockaddr_storage, _ length: socklen_t) {
    arrivals.withLock { $0.append(Arrival(connection: connection, address: address, length: length)) }
    signal()
  }

  /// Goes on with a suspended connection.
  func resume(_ connection: OpaquePointer) {
    MHD_resume_connection(connection)
    // A daemon without threads of its own has nothing with which to wake ours.
    signal()
  }

  /// Ends the thread, and with it every connection; none may be suspended.
  func end() {
    isRunning.store(false, ordering: .releasing)
    signal()
  }

  /// Frees what the worker has if its thread has not been started.
  func discard() { MHD_stop_daemon(daemon) }

  private func signal() {
    // What there is to do has been stored before this, so that a thread that has yet to take the signal finds it.
    if !isSignalled.exchange(true, ordering: .acquiringAndReleasing) { wakeUp.signal() }
  }

  // MARK: - The thread

  /// libmicrohttpd has done something: called on the worker's thread.
  func noteProgress() { progress &+= 1 }

  /// The thread's body.
  func run() {
    blockBrokenPipeSignal()
    var watched = [events, wakeUp.descriptor].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    var wait: Int32 = 0
    while isRunning.load(ordering: .acquiring) {
      poll(&watched, nfds_t(watched.count), wait)
      if watched[1].revents != 0 {
        wakeUp.clear()
        _ = isSignalled.exchange(false, ordering: .acquiringAndReleasing)
      }
      addArrivals()
      wait = runDaemon()
    }
    MHD_stop_daemon(daemon)
    for arrival in takeArrivals() {
      arrival.connection.markClosed()
      close(arrival.connection.descriptor)
    }
  }

  /// Does what there is to do. Returns for how many milliseconds to wait for more at most.
  private func runDaemon() -> Int32 {
    var idleRuns = 0
    for _ in 0..<Self.runsAtATime {
      let before = progress
      var wait: UInt64 = 0
      MHD_run(daemon)
      if MHD_get_timeout(daemon, &wait) == .NO { wait = Self.longestWait }
      if wait > 0 { return Int32(min(wait, Self.longestWait)) }
      // A connection whose buffer is full of something that has no end, such as the line of a chunk's size, counts as
      // ready until its deadline. It must not use up a processor; whatever else happens ends the wait.
      idleRuns = progress == before ? idleRuns + 1 : 0
      if idleRuns == Self.idleRunsAtATime { return Int32(Self.waitWhenStuck) }
    }
    return 0
  }

  private func takeArrivals() -> [Arrival] {
    arrivals.withLock { arrivals in
      if arrivals.isEmpty { return [] }
      defer { arrivals = [] }
      return arrivals
    }
  }

  private func addArrivals() {
    for var arrival in takeArrivals() {
      let isAdded = withUnsafePointer(to: &arrival.address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          MHD_add_connection(daemon, arrival.connection.descriptor, $0, arrival.length) == .YES
        }
      }
      // libmicrohttpd has closed the socket.
      if !isAdded { core.connectionClosed(arrival.connection) }
    }
  }

  /// Writing to a connection that has ended must not end the process.
  private func blockBrokenPipeSignal() {
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGPIPE)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
  }

  private static func startDaemon(_ core: ServerCore) -> OpaquePointer? {
    let configuration = core.configuration
    // The worker holds the core for as long as the daemon lives.
    let context = Unmanaged.passUnretained(core).toOpaque()
    // Room for a head, for its index and for a response's head. Above 32 KiB the memory is mapped, which `Exchange`
    // relies on.
    let memory = max(40_960, configuration.maximumHeadBytes * 2 + 8192)
    var options = [
      MHD_OptionItem(option: .CONNECTION_MEMORY_LIMIT, value: memory, ptr_value: nil),
      // The limit that counts is kept at acceptance.
      MHD_OptionItem(option: .CONNECTION_LIMIT, value: configuration.connectionLimit + 64, ptr_value: nil),
      MHD_OptionItem(
        option: .NOTIFY_CONNECTION, value: minicrm_mhd_notify_connection(MHDCallbacks.notifyConnection),
        ptr_value: context),
      MHD_OptionItem(
        option: .NOTIFY_COMPLETED, value: minicrm_mhd_completed(MHDCallbacks.completed), ptr_value: context),
      MHD_OptionItem(
        option: .URI_LOG_CALLBACK, value: minicrm_mhd_uri_log(MHDCallbacks.targetReceived), ptr_value: context),
      MHD_OptionItem(
        option: .UNESCAPE_CALLBACK, value: minicrm_mhd_unescape(MHDCallbacks.unescape), ptr_value: nil),
      MHD_OptionItem(option: .SIGPIPE_HANDLED_BY_APP, value: 1, ptr_value: nil),
      MHD_OptionItem(option: .END, value: 0, ptr_value: nil),
    ]
    let flags = MHD_USE_EPOLL.rawValue | MHD_USE_NO_LISTEN_SOCKET.rawValue | MHD_ALLOW_SUSPEND_RESUME.rawValue
    return minicrm_mhd_start(flags, MHDCallbacks.access, context, &options)
  }
}
