/// Something that answers requests: a router, or a middleware around another responder.
///
/// A responder never throws: it turns what went wrong into a response.
public protocol HTTPResponder: Sendable {
  func respond(to request: HTTPRequest) async -> HTTPResponse
}
