/// The bytes of a response that is written past libmicrohttpd; the connection ends after it.
enum EarlyResponse {
  static func encode(_ response: HTTPResponse, requestID: String?, withBody: Bool = true) -> [UInt8] {
    let body = response.bytes ?? []
    var head = "HTTP/1.1 \(response.status) \(reason(response.status))\r\n"
    response.headers.forEachField { name, value in
      guard ResponseRules.mayAdd(name: name, value: value) else { return }
      head += "\(String(decoding: name, as: UTF8.self)): \(String(decoding: value, as: UTF8.self))\r\n"
    }
    if let requestID, !response.headers.contains("X-Request-Id") { head += "X-Request-Id: \(requestID)\r\n" }
    head += "Content-Length: \(body.count)\r\nConnection: close\r\n\r\n"
    return Array(head.utf8) + (withBody ? body : [])
  }

  /// Reason phrases of the answers that are given early; others need none.
  private static func reason(_ status: Int) -> String {
    switch status {
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 403: "Forbidden"
    case 408: "Request Timeout"
    case 409: "Conflict"
    case 413: "Content Too Large"
    case 415: "Unsupported Media Type"
    case 422: "Unprocessable Content"
    case 429: "Too Many Requests"
    case 503: "Service Unavailable"
    default: ""
    }
  }
}

/// Which headers of a handler's response are sent.
enum ResponseRules {
  /// Whether a header is well formed and not one of those that frame the message, which the server sets.
  static func mayAdd(name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>) -> Bool {
    guard !name.isEmpty, name.allSatisfy(CharacterClass.token.contains),
      value.allSatisfy(CharacterClass.fieldValue.contains)
    else { return false }
    return switch name.count {
    case 4: !isEqual(name, "date")
    case 10: !isEqual(name, "connection") && !isEqual(name, "keep-alive")
    case 14: !isEqual(name, "content-length")
    case 17: !isEqual(name, "transfer-encoding")
    default: true
    }
  }

  private static func isEqual(_ name: UnsafeBufferPointer<UInt8>, _ lowercase: StaticString) -> Bool {
    lowercase.withUTF8Buffer { expected in
      zip(name, expected).allSatisfy { CharacterClass.lowercased($0) == $1 }
    }
  }
}
