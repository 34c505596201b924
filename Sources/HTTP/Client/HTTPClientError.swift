/// Why a request got no response.
///
/// What the caller can do depends on `requestMayHaveBeenSent`: when `false`, no byte of the request has left this
/// process, and it may be sent again whatever it does; when `true`, the server may or may not have carried it out.
public struct HTTPClientError: Error, Equatable, Sendable, CustomStringConvertible {
  public enum Phase: String, Sendable {
    /// Waiting for a connection, resolving, connecting or TLS.
    case connect
    /// Waiting for the response to begin.
    case firstByte
    /// Reading the response.
    case response
  }

  public enum Kind: Equatable, Sendable {
    /// The URL, the method or a header cannot be sent: fix the request.
    case invalidRequest
    case resolve
    /// Nobody listens, or the connection broke before any of the request had been written.
    case couldNotConnect
    case tls
    case timedOut(Phase)
    /// The connection broke after a part of the request had been written and before the response was complete.
    case resetAfterWrite
    case malformedResponse
    case responseTooLarge(limit: Int)
    /// The task was cancelled.
    case cancelled
    /// The client is closed.
    case closed
    /// As many requests wait as the client allows: shed load.
    case overloaded
  }

  public let kind: Kind
  /// For logs; libcurl's words where it has any.
  public let message: String
  /// Whether any byte of the request may have reached the server.
  public let requestMayHaveBeenSent: Bool

  public init(_ kind: Kind, _ message: String, requestMayHaveBeenSent: Bool) {
    self.kind = kind
    self.message = message
    self.requestMayHaveBeenSent = requestMayHaveBeenSent
  }

  public var description: String {
    "\(kind): \(message) (\(requestMayHaveBeenSent ? "the request may have been sent" : "the request was not sent"))"
  }
}
