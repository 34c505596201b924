/// Something that answers requests: a router, or a middleware around another responder.
///
/// A responder never throws: it turns what went wrong into a response.
public protocol HTTPResponder: Sendable {
  func respond(to request: HTTPRequest) async -> HTTPResponse

  /// Finishes an answer just before it is sent: one that `respond` made, or one that the server gives in its place when
  /// a deadline has passed or a request is refused.
  ///
  /// The server calls it once for each answer that is sent and for no other, so that answers are counted here; often on
  /// a thread that moves bytes, so it must not block.
  ///
  /// - Parameter request: `nil` when its head never came. Of a head that could not be read it has the method, the
  ///   target and an id, but no headers; the path of one that is refused for its target or its size is as it was sent.
  func finish(_ response: inout HTTPResponse, for request: HTTPRequest?)
}

extension HTTPResponder {
  /// Leaves the answer as it is.
  public func finish(_ response: inout HTTPResponse, for request: HTTPRequest?) {}
}
