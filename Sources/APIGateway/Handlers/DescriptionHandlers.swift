import Crypto
import HTTP
import JSON

/// `/api/v1/openapi.json` and `/docs`: what the routes say of themselves. Made once, when the process starts.
struct DescriptionHandlers: Sendable {
  private let document: Asset
  private let page: Asset
  private let style: Asset

  /// - Parameter routes: the other routes; these describe themselves.
  init(of routes: [Route]) {
    let own = DescriptionHandlers.routes { _ in
      HTTPResponse()
    } page: { _ in
      HTTPResponse()
    } style: { _ in
      HTTPResponse()
    }
    let operations = (routes + own.dropLast()).map(DescribedOperation.init) + DescribedOperation.everyProcess
    let json = OpenAPIDocument(operations).json
    document = Asset("application/json", json.encoded())
    page = Asset("text/html; charset=utf-8", Array(DocumentationPage(operations, document: json).html.utf8))
    style = Asset("text/css; charset=utf-8", Array(DocumentationPage.style.utf8))
  }

  var routes: [Route] {
    DescriptionHandlers.routes {
      try document.response(to: $0)
    } page: { request in
      var response = try page.response(to: request)
      // Nothing but its own style sheet.
      response.headers.add(
        "Content-Security-Policy",
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
      return response
    } style: {
      try style.response(to: $0)
    }
  }

  /// The style sheet's comes last: it is part of the page and not described.
  private static func routes(
    document: @escaping Route.Handler, page: @escaping Route.Handler, style: @escaping Route.Handler
  ) -> [Route] {
    [
      Route(
        .get, "/api/v1/openapi.json", "getDescription", operation: .getDescription, access: .open, needs: [], document),
      Route(.get, "/docs", "showDocumentation", operation: .showDocumentation, access: .open, needs: [], page),
      Route(
        .get, DocumentationPage.stylePath, "getDocumentationStyle", operation: .showDocumentation, access: .open,
        needs: [], style),
    ]
  }
}

/// Bytes that do not change while the process lives.
private struct Asset: Sendable {
  let mediaType: String
  let bytes: [UInt8]
  /// A strong entity tag (RFC 9110, section 8.8.3).
  let tag: String

  init(_ mediaType: String, _ bytes: [UInt8]) {
    self.mediaType = mediaType
    self.bytes = bytes
    tag = "\"\(hexString(SHA256.digest(bytes).prefix(16)))\""
  }

  func response(to request: APIRequest) throws -> HTTPResponse {
    try request.expectNoQuery()
    let copies = request.http.headers.values("If-None-Match").flatMap { $0.split(separator: ",") }
      .map { $0.drop { $0 == " " }.trimmingSuffix { $0 == " " } }
    let isCurrent = copies.contains { $0 == "*" || $0 == tag || $0 == "W/\(tag)" }
    var response = isCurrent ? HTTPResponse(status: 304) : HTTPResponse(contentType: mediaType, bytes)
    response.headers.add("ETag", tag)
    response.headers.add("Cache-Control", "no-cache")
    return response
  }
}

extension Substring {
  fileprivate func trimmingSuffix(while matches: (Character) -> Bool) -> Substring {
    guard let last = lastIndex(where: { !matches($0) }) else { return "" }
    return self[...last]
  }
}
