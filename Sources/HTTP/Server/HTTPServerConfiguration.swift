extension HTTPServer {
  public struct Configuration: Sendable {
    /// The numeric address or name to listen at.
    public var host = "0.0.0.0"
    /// The TCP port; 0 takes a free one, which `HTTPServer.port` then tells.
    public var port = 0
    /// Threads that move bytes; handlers of small requests also start on them.
    public var threads = 2
    /// Connections open at once; more wait in the listen queue until one closes.
    public var connectionLimit = 10_000
    /// Connections open at once from one address; more are closed at once.
    public var perAddressLimit = 2_000
    /// The largest request head in bytes, from the method to the empty line. Larger: 431.
    public var maximumHeadBytes = 16_384
    /// The longest request target in bytes. Longer: 414.
    public var maximumTargetBytes = 8_192
    /// The body limit of routes that name none, in bytes.
    public var defaultBodyLimit = 1 << 20
    /// The deadline of handlers whose routes name none.
    public var handlerDeadline: Duration = .seconds(30)
    public var deadlines = Deadlines()

    public init() {}

    public init(host: String = "0.0.0.0", port: Int, threads: Int = 2) {
      self.host = host
      self.port = port
      self.threads = threads
    }
  }

  /// How long clients may take. All are wall-clock times; they are checked several times within the shortest of them,
  /// at least four times a second.
  public struct Deadlines: Sendable {
    /// From a connection's start to the first byte of a request, and from a request's first byte to the end of its
    /// head.
    public var headers: Duration = .seconds(10)
    /// How long a connection may stay open without a byte of another request.
    public var idle: Duration = .seconds(60)
    /// How long a body may take at any rate.
    public var bodyGrace: Duration = .seconds(10)
    /// The rate in bytes per second that a body must keep, on average, after `bodyGrace`. Time in which the server
    /// itself did not read does not count. Responses that are not streamed must be taken at this rate, too.
    public var bodyMinimumRate = 100_000
    /// How long a streamed response may go without the client taking anything.
    public var sendStall: Duration = .seconds(30)
    /// How long a connection stays open to be read after an answer that came before the end of the body, so that the
    /// client can read that answer.
    public var linger: Duration = .seconds(1)

    public init() {}

    /// How often they must be checked so that none is missed by more than a quarter.
    var checkInterval: Duration {
      let shortest = min(headers, idle, bodyGrace, sendStall, linger)
      return max(.milliseconds(10), min(.milliseconds(250), shortest / 4))
    }
  }
}

/// Why a server could not start.
public enum HTTPServerError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Another socket has the port: choose another, or stop the other process.
  case portTaken(Int)
  /// The host is not an address of this machine, or the port needs privileges.
  case cannotListen(host: String, port: Int, reason: String)
  /// The server has been started before: make a new one.
  case alreadyStarted
  /// libmicrohttpd could not start its threads: the machine is out of memory, threads or file descriptors.
  case outOfResources

  public var description: String {
    switch self {
    case .portTaken(let port): "port \(port) is taken"
    case .cannotListen(let host, let port, let reason): "cannot listen at \(host):\(port): \(reason)"
    case .alreadyStarted: "the server has been started before"
    case .outOfResources: "the server's threads could not be started"
    }
  }
}
