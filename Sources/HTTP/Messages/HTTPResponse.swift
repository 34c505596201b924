/// What a handler answers.
///
/// The server adds `Date`, `Content-Length` or `Transfer-Encoding`, `Connection` and `X-Request-Id`; a response must
/// not set the first four itself. `HEAD` requests get the headers of the response and no body.
public struct HTTPResponse: Sendable {
  /// Makes the next chunk of a body; `nil` ends it, an error breaks the connection off so that the client notices.
  ///
  /// Called again only when the client has taken most of what came before; cancelled when the client goes away.
  public typealias Producer = @Sendable () async throws -> [UInt8]?

  public enum Body: Sendable {
    case bytes([UInt8])
    /// A body made as the client reads it. With a `length` in bytes the response has a `Content-Length`, without one
    /// it is chunked.
    case stream(length: Int?, Producer)
  }

  public var status: Int
  public var headers: HTTPHeaders
  public var body: Body

  /// - Parameter status: 200 to 599; others become a 500.
  public init(status: Int = 200, headers: HTTPHeaders = [:], body: Body = .bytes([])) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  /// A response with a body of the given media type.
  public init(status: Int = 200, contentType: String, _ bytes: [UInt8], headers: HTTPHeaders = [:]) {
    self.init(status: status, headers: headers, body: .bytes(bytes))
    self.headers.add("Content-Type", contentType)
  }

  /// `application/json` from encoded bytes.
  public static func json(_ bytes: [UInt8], status: Int = 200) -> HTTPResponse {
    HTTPResponse(status: status, contentType: "application/json", bytes)
  }

  /// `text/plain` in UTF-8.
  public static func text(_ text: String, status: Int = 200) -> HTTPResponse {
    HTTPResponse(status: status, contentType: "text/plain; charset=utf-8", Array(text.utf8))
  }

  /// The body if it is not streamed.
  public var bytes: [UInt8]? {
    if case .bytes(let bytes) = body { bytes } else { nil }
  }
}
