/// Why the server itself, and not a handler, answers a request. An error renderer makes the response.
public enum HTTPServerProblem: Error, Sendable, CustomStringConvertible {
  /// 400: the request breaks HTTP's rules.
  case badRequest(String)
  /// 404: no route has this path.
  case notFound
  /// 405: the path exists, but not for this method. The response must carry `Allow`; the server adds it.
  case methodNotAllowed(allowed: [HTTPMethod])
  /// 408: the request did not arrive in time.
  case requestTimeout
  /// 413: the body is larger than the route accepts.
  case bodyTooLarge(limit: Int)
  /// 414
  case targetTooLong(limit: Int)
  /// 431
  case headersTooLarge(limit: Int)
  /// 500: the handler threw, or made a response that cannot be sent.
  case handlerFailed(any Error)
  /// 503: the handler did not answer before its deadline.
  case handlerTimedOut(after: Duration)
  /// 503: the server is stopping.
  case stopping

  /// The status code of the response.
  public var status: Int {
    switch self {
    case .badRequest: 400
    case .notFound: 404
    case .methodNotAllowed: 405
    case .requestTimeout: 408
    case .bodyTooLarge: 413
    case .targetTooLong: 414
    case .headersTooLarge: 431
    case .handlerFailed: 500
    case .handlerTimedOut, .stopping: 503
    }
  }

  /// A sentence for the client; it holds nothing of the inside of the server.
  public var description: String {
    switch self {
    case .badRequest(let reason): "Bad request: \(reason)."
    case .notFound: "There is nothing at this path."
    case .methodNotAllowed(let allowed):
      "This path answers to \(allowed.map(\.rawValue).joined(separator: ", "))."
    case .requestTimeout: "The request did not arrive in time."
    case .bodyTooLarge(let limit): "The body may have at most \(limit) bytes."
    case .targetTooLong(let limit): "The request target may have at most \(limit) bytes."
    case .headersTooLarge(let limit): "The request's head may have at most \(limit) bytes."
    case .handlerFailed: "The server could not answer this request."
    case .handlerTimedOut: "The server took too long to answer."
    case .stopping: "The server is stopping."
    }
  }

  /// Makes the response to a problem, with a body that is not streamed; for the request see `HTTPResponder.finish`.
  public typealias Renderer = @Sendable (HTTPServerProblem, HTTPRequest?) -> HTTPResponse

  /// Plain text; products have their own.
  public static let plainText: Renderer = { problem, _ in .text("\(problem)\n", status: problem.status) }
}

/// What is wrong with a request, found before any handler runs. The connection is closed after the answer.
enum RequestProblem: Error, Equatable {
  case malformed(String)
  case targetTooLong(limit: Int)
  case headersTooLarge(limit: Int)
  case bodyTooLarge(limit: Int)
}

extension HTTPServerProblem {
  init(_ problem: RequestProblem) {
    self =
      switch problem {
      case .malformed(let reason): .badRequest(reason)
      case .targetTooLong(let limit): .targetTooLong(limit: limit)
      case .headersTooLarge(let limit): .headersTooLarge(limit: limit)
      case .bodyTooLarge(let limit): .bodyTooLarge(limit: limit)
      }
  }
}
