import CCurl

/// What is known of a transfer that ended without a response, and what it means; pure.
struct TransferFacts {
  /// libcurl's result.
  var code: CURLcode
  /// Bytes of the request, head and body, that the socket has taken, in all attempts.
  var requestBytes: Int
  /// Whether any byte of a response has arrived.
  var responseBegan: Bool
  /// Whether the transfer was ended here because the first byte took too long.
  var firstByteTimedOut = false
  /// Whether it was ended here because the body exceeds the limit.
  var bodyLimitExceeded: Int?
  /// Whether it was ended here because the response's head is too large.
  var headLimitExceeded = false

  var error: HTTPClientError {
    let sent = requestBytes > 0
    let message = String(cString: curl_easy_strerror(code))
    if let bodyLimitExceeded {
      return HTTPClientError(
        .responseTooLarge(limit: bodyLimitExceeded), "the response has more than \(bodyLimitExceeded) bytes",
        requestMayHaveBeenSent: sent)
    }
    if headLimitExceeded {
      return HTTPClientError(.malformedResponse, "the response's head is too large", requestMayHaveBeenSent: sent)
    }
    if firstByteTimedOut {
      return HTTPClientError(
        .timedOut(sent ? .firstByte : .connect), "no response in time", requestMayHaveBeenSent: sent)
    }
    return HTTPClientError(kind(sent: sent), message, requestMayHaveBeenSent: sent)
  }

  private func kind(sent: Bool) -> HTTPClientError.Kind {
    switch code {
    case CURLE_UNSUPPORTED_PROTOCOL where sent: .malformedResponse  // no status line: an answer as of HTTP/0.9
    case CURLE_UNSUPPORTED_PROTOCOL, CURLE_URL_MALFORMAT, CURLE_BAD_FUNCTION_ARGUMENT: .invalidRequest
    case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: .resolve
    case CURLE_COULDNT_CONNECT: .couldNotConnect
    case CURLE_OPERATION_TIMEDOUT: .timedOut(!sent ? .connect : responseBegan ? .response : .firstByte)
    case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
      CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_ENGINE_INITFAILED, CURLE_SSL_INVALIDCERTSTATUS,
      CURLE_USE_SSL_FAILED:
      .tls
    case CURLE_WEIRD_SERVER_REPLY, CURLE_PARTIAL_FILE, CURLE_BAD_CONTENT_ENCODING: .malformedResponse
    default: sent ? .resetAfterWrite : .couldNotConnect
    }
  }
}
