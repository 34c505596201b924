/// A request for `HTTPClient.execute`.
public struct HTTPClientRequest: Sendable {
  public struct Timeouts: Sendable {
    /// Resolving the name, connecting, and TLS, together.
    public var connect: Duration
    /// From when the connection is ready to the first byte of the response; `nil`: only `total` bounds it.
    public var firstByte: Duration?
    /// Everything, waiting for a free connection included.
    public var total: Duration

    public init(connect: Duration = .seconds(2), firstByte: Duration? = nil, total: Duration = .seconds(10)) {
      self.connect = connect
      self.firstByte = firstByte
      self.total = total
    }
  }

  public var method: HTTPMethod
  /// `http://` or `https://`.
  public var url: String
  public var headers: HTTPHeaders
  public var body: [UInt8]
  public var timeouts: Timeouts
  /// The largest body of a response that is accepted, in bytes.
  public var maxResponseBytes: Int

  public init(
    _ method: HTTPMethod = .get, _ url: String, headers: HTTPHeaders = [:], body: [UInt8] = [],
    timeouts: Timeouts = Timeouts(), maxResponseBytes: Int = 1 << 20
  ) {
    self.method = method
    self.url = url
    self.headers = headers
    self.body = body
    self.timeouts = timeouts
    self.maxResponseBytes = maxResponseBytes
  }
}

/// A complete response. Redirects are not followed: they are responses like others.
public struct HTTPClientResponse: Sendable {
  public var status: Int
  public var headers: HTTPHeaders
  public var body: [UInt8]

  public init(status: Int, headers: HTTPHeaders = [:], body: [UInt8] = []) {
    self.status = status
    self.headers = headers
    self.body = body
  }
}
