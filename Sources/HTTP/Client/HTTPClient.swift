import Runtime
import Synchronization

/// An HTTP/1.1 client over libcurl: one thread drives all requests, connections are kept open and used again.
///
/// Redirects are not followed, cookies not kept, proxies of the environment not used. A request that changes something
/// is never sent twice: where a connection that was kept open breaks, the caller learns it (see `HTTPClientError`).
///
/// Close a client that is no longer needed; letting go of it ends its requests, too.
public final class HTTPClient: Sendable {
  public struct Configuration: Sendable {
    /// Connections open at once to one host and port; requests beyond wait.
    public var maxConnectionsPerHost: Int
    /// Requests under way at once; others wait in order.
    public var maxConcurrent: Int
    /// Requests that may wait; more are refused as `.overloaded`.
    public var maxWaiting: Int
    /// How long an unused connection is kept, whole seconds.
    public var maxIdle: Duration

    public init(
      maxConnectionsPerHost: Int = 64, maxConcurrent: Int = 1000,
      maxWaiting: Int = 10_000, maxIdle: Duration = .seconds(50)
    ) {
      self.maxConnectionsPerHost = max(1, maxConnectionsPerHost)
      self.maxConcurrent = max(1, maxConcurrent)
      self.maxWaiting = max(0, maxWaiting)
      self.maxIdle = maxIdle
    }
  }

  private let loop: CurlLoop
  private let thread: OwnedThread
  private let nextID = Atomic<UInt64>(0)

  /// - Throws: `HTTPClientError` of kind `.overloaded` when the process has no memory or file descriptor left.
  public init(_ configuration: Configuration = Configuration()) throws(HTTPClientError) {
    guard let loop = CurlLoop(configuration) else {
      throw HTTPClientError(.overloaded, "libcurl could not be started", requestMayHaveBeenSent: false)
    }
    self.loop = loop
    thread = OwnedThread.start(name: "http-client") { loop.run() }
  }

  /// A client with the other settings at their defaults.
  public convenience init(maxConnectionsPerHost: Int, maxConcurrent: Int) throws(HTTPClientError) {
    try self.init(Configuration(maxConnectionsPerHost: maxConnectionsPerHost, maxConcurrent: maxConcurrent))
  }

  deinit { loop.close() }

  /// Sends a request and returns the complete response, whatever its status.
  ///
  /// Cancelling the task ends the request and its connection.
  public func execute(_ request: HTTPClientRequest) async throws(HTTPClientError) -> HTTPClientResponse {
    try Self.check(request)
    let id = nextID.add(1, ordering: .relaxed).newValue
    let deadline = ContinuousClock.now + request.timeouts.total
    let outcome = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let job = CurlLoop.Job(id: id, request: request, deadline: deadline, continuation: continuation)
        if let refusal = loop.submit(job) {
          continuation.resume(returning: .failure(refusal))
        } else if Task.isCancelled {
          // The handler below may have run before the request was there to be cancelled.
          loop.cancel(id)
        }
      }
    } onCancel: {
      loop.cancel(id)
    }
    return try outcome.get()
  }

  /// Requests without an outcome, waiting ones included.
  public var outstandingRequests: Int { loop.outstanding }

  /// Ends every request with `.closed` and returns when the thread has ended.
  public func close() async {
    loop.close()
    await thread.joined()
  }

  private static func check(_ request: HTTPClientRequest) throws(HTTPClientError) {
    guard HTTPHeaders.isValidName(request.method.rawValue) else {
      throw HTTPClientError(.invalidRequest, "malformed method", requestMayHaveBeenSent: false)
    }
    guard request.url.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
      throw HTTPClientError(.invalidRequest, "malformed URL", requestMayHaveBeenSent: false)
    }
    for (name, value) in request.headers where !HTTPHeaders.isValidName(name) || !HTTPHeaders.isValidValue(value) {
      throw HTTPClientError(.invalidRequest, "malformed header \(name)", requestMayHaveBeenSent: false)
    }
  }
}
