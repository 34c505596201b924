import CRMCore
import HTTP
import JSON

/// Error responses as `application/problem+json` (RFC 9457), like those of the gateway.
enum Problem {
  static func response(
    _ status: Int, _ title: String, _ detail: String, _ request: HTTPRequest?, errors: [FieldError] = [],
    headers: HTTPHeaders = [:]
  ) -> HTTPResponse {
    var writer = JSONWriter()
    writer.beginObject()
    writer.field("type", "about:blank")
    writer.field("title", title)
    writer.field("status", status)
    writer.field("detail", detail)
    writer.field("success", false)
    if let request {
      writer.field("instance", request.path)
      writer.field("request_id", request.id)
    }
    if !errors.isEmpty {
      writer.key("errors")
      writer.beginArray()
      for error in errors {
        writer.beginObject()
        writer.field("field", error.field)
        writer.field("code", error.code)
        writer.field("message", error.message)
        writer.endObject()
      }
      writer.endArray()
    }
    writer.endObject()
    return HTTPResponse(status: status, contentType: "application/problem+json", writer.bytes, headers: headers)
  }

  static func invalid(_ error: ValidationError, _ request: HTTPRequest) -> HTTPResponse {
    response(400, "Bad Request", error.description, request, errors: error.errors)
  }

  static func unavailable(_ detail: String, _ request: HTTPRequest?) -> HTTPResponse {
    response(503, "Service Unavailable", detail, request, headers: ["Retry-After": "1"])
  }

  /// Renders what the server and the handlers' errors are.
  static let renderer: HTTPServerProblem.Renderer = { problem, request in
    if case .handlerFailed(let error) = problem {
      switch (error, request) {
      case (let error as ValidationError, let request?): return invalid(error, request)
      case (is LedgerError, _): return unavailable("\(error)", request)
      default: break
      }
    }
    let retry: HTTPHeaders = problem.status == 503 ? ["Retry-After": "1"] : [:]
    return response(problem.status, title(problem.status), problem.description, request, headers: retry)
  }

  private static func title(_ status: Int) -> String {
    switch status {
    case 400: "Bad Request"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 408: "Request Timeout"
    case 413: "Content Too Large"
    case 414: "URI Too Long"
    case 431: "Request Header Fields Too Large"
    case 503: "Service Unavailable"
    default: "Internal Server Error"
    }
  }
}
