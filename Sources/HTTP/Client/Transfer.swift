import CCurl

/// One easy handle and what it receives. Used for one request after another, on the loop's thread only.
final class Transfer {
  let easy: UnsafeMutableRawPointer
  private(set) var job: CurlLoop.Job?
  private(set) var firstByteTimedOut = false
  private(set) var firstByteDeadline: ContinuousClock.Instant?
  private var headerList: UnsafeMutablePointer<curl_slist>?
  private var headers = HTTPHeaders()
  private var headBytes = 0
  private var body: [UInt8] = []
  private var attempts = 0
  private var bodyLimitExceeded = false
  private var headLimitExceeded = false

  /// A response's head may have this many bytes in all.
  private static let headLimit = 64 << 10

  /// `nil` when memory has run out.
  init?(maxIdle: Duration) {
    guard let easy = curl_easy_init() else { return nil }
    self.easy = easy
    let context = Unmanaged.passUnretained(self).toOpaque()
    set(CURLOPT_NOSIGNAL, 1)
    set(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1)
    set(CURLOPT_FOLLOWLOCATION, 0)
    set(CURLOPT_MAXAGE_CONN, max(1, maxIdle.millisecondsRoundedUp / 1000))
    set(CURLOPT_PROTOCOLS_STR, "http,https")
    // An empty proxy overrules the environment's.
    set(CURLOPT_PROXY, "")
    minicrm_curl_set_pointer(easy, CURLOPT_PRIVATE, context)
    minicrm_curl_set_pointer(easy, CURLOPT_WRITEDATA, context)
    minicrm_curl_set_pointer(easy, CURLOPT_HEADERDATA, context)
    minicrm_curl_set_pointer(easy, CURLOPT_PREREQDATA, context)
    minicrm_curl_set_write(easy, CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
      guard let bytes, let context else { return 0 }
      let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
      return transfer.receiveBody(UnsafeRawBufferPointer(start: bytes, count: size * count))
    }
    minicrm_curl_set_write(easy, CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
      guard let bytes, let context else { return 0 }
      let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
      return transfer.receiveHeader(UnsafeRawBufferPointer(start: bytes, count: size * count))
    }
    minicrm_curl_set_prereq(easy) { context, _, _, _, _ in
      guard let context else { return Int32(CURL_PREREQFUNC_ABORT) }
      return Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue().connected()
    }
  }

  /// Frees the handle, which must not be in a multi handle any more.
  func destroy() {
    curl_easy_cleanup(easy)
    curl_slist_free_all(headerList)
    headerList = nil
  }

  /// Prepares the handle for a request.
  ///
  /// - Returns: libcurl's complaint if the request cannot be sent.
  func prepare(_ job: CurlLoop.Job, now: ContinuousClock.Instant) -> CURLcode {
    self.job = job
    let request = job.request
    headers = HTTPHeaders()
    headBytes = 0
    body = []
    attempts = 0
    firstByteTimedOut = false
    firstByteDeadline = nil
    bodyLimitExceeded = false
    headLimitExceeded = false
    setMethodAndBody(request)
    setHeaders(request)
    let total = max(1, now.duration(to: job.deadline).millisecondsRoundedUp)
    set(CURLOPT_TIMEOUT_MS, total)
    set(CURLOPT_CONNECTTIMEOUT_MS, max(1, request.timeouts.connect.millisecondsRoundedUp))
    return set(CURLOPT_URL, request.url)
  }

  /// The response, or why there is none.
  func outcome(_ code: CURLcode) -> Result<HTTPClientResponse, HTTPClientError> {
    if code == CURLE_OK {
      let status = minicrm_curl_get_long(easy, CURLINFO_RESPONSE_CODE)
      return .success(HTTPClientResponse(status: status, headers: headers, body: body))
    }
    return .failure(facts(code).error)
  }

  /// The error of a transfer that is ended from outside.
  func abandoned(_ kind: HTTPClientError.Kind, _ message: String) -> HTTPClientError {
    HTTPClientError(kind, message, requestMayHaveBeenSent: requestBytes > 0)
  }

  /// The error of a transfer whose response did not begin in time.
  func firstByteMissed() -> HTTPClientError {
    firstByteTimedOut = true
    return facts(CURLE_OPERATION_TIMEDOUT).error
  }

  /// Frees what belongs to the request; the handle, which the multi handle must have let go, can be used again.
  func release() {
    job = nil
    body = []
    firstByteDeadline = nil
    // Frees the copy of a body, which may be large.
    minicrm_curl_set_pointer(easy, CURLOPT_POSTFIELDS, nil)
    minicrm_curl_set_list(easy, CURLOPT_HTTPHEADER, nil)
    curl_slist_free_all(headerList)
    headerList = nil
  }

  private func facts(_ code: CURLcode) -> TransferFacts {
    TransferFacts(
      code: code, requestBytes: requestBytes, responseBegan: headBytes > 0, firstByteTimedOut: firstByteTimedOut,
      bodyLimitExceeded: bodyLimitExceeded ? job?.request.maxResponseBytes : nil,
      headLimitExceeded: headLimitExceeded)
  }

  /// How much of the request the socket has taken, over all attempts.
  private var requestBytes: Int { minicrm_curl_get_long(easy, CURLINFO_REQUEST_SIZE) }

  // MARK: - Callbacks

  /// A connection, new or used before, is ready for the request.
  ///
  /// libcurl repeats a request on a new connection when one that was kept open breaks before any byte of the response.
  /// The server may have carried out the first attempt, though: only safe methods may be repeated here.
  private func connected() -> Int32 {
    attempts += 1
    guard let request = job?.request else { return Int32(CURL_PREREQFUNC_ABORT) }
    if attempts > 1, requestBytes > 0, !request.method.isSafe { return Int32(CURL_PREREQFUNC_ABORT) }
    if let limit = request.timeouts.firstByte { firstByteDeadline = .now + limit }
    return Int32(CURL_PREREQFUNC_OK)
  }

  private func receiveHeader(_ line: UnsafeRawBufferPointer) -> Int {
    firstByteDeadline = nil
    headBytes += line.count
    guard headBytes <= Self.headLimit else {
      headLimitExceeded = true
      return 0
    }
    if line.starts(with: "HTTP/".utf8) {
      // The head of another response begins: what came before was an interim one.
      headers = HTTPHeaders()
    } else if let colon = line.firstIndex(of: UInt8(ascii: ":")) {
      let name = String(decoding: line[..<colon], as: UTF8.self)
      let value = line[(colon + 1)...].trimmed { $0 <= 0x20 }
      headers.add(name, String(decoding: value, as: UTF8.self))
    }
    return line.count
  }

  private func receiveBody(_ bytes: UnsafeRawBufferPointer) -> Int {
    guard body.count + bytes.count <= job?.request.maxResponseBytes ?? 0 else {
      bodyLimitExceeded = true
      return 0
    }
    body.append(contentsOf: bytes)
    return bytes.count
  }

  // MARK: - Options

  @discardableResult
  private func set(_ option: CURLoption, _ value: Int) -> CURLcode { minicrm_curl_set_long(easy, option, value) }

  @discardableResult
  private func set(_ option: CURLoption, _ value: String) -> CURLcode { minicrm_curl_set_string(easy, option, value) }

  private func setMethodAndBody(_ request: HTTPClientRequest) {
    let method = request.method
    if !request.body.isEmpty || method == .post || method == .put || method == .patch {
      set(CURLOPT_POST, 1)
      minicrm_curl_set_offset(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(request.body.count))
      request.body.withUnsafeBytes { bytes in
        // With size 0 the pointer must still not be null, or libcurl would call for the body.
        withUnsafePointer(to: UInt8(0)) { empty in
          let start = UnsafeMutableRawPointer(mutating: bytes.baseAddress ?? UnsafeRawPointer(empty))
          _ = minicrm_curl_set_pointer(easy, CURLOPT_COPYPOSTFIELDS, start)
        }
      }
    } else {
      set(CURLOPT_HTTPGET, 1)
    }
    if method == .head { set(CURLOPT_NOBODY, 1) }
    let isImplied = method == .head || (method == .get && request.body.isEmpty) || method == .post
    if isImplied {
      minicrm_curl_set_string(easy, CURLOPT_CUSTOMREQUEST, nil)
    } else {
      set(CURLOPT_CUSTOMREQUEST, method.rawValue)
    }
  }

  private func setHeaders(_ request: HTTPClientRequest) {
    var list: UnsafeMutablePointer<curl_slist>?
    func append(_ line: String) {
      if let longer = curl_slist_append(list, line) { list = longer }
    }
    for (name, value) in request.headers {
      // libcurl's way to send a header without a value.
      append(value.isEmpty ? "\(name);" : "\(name): \(value)")
    }
    // Without these libcurl would add its own: a wait for 100-continue, and the media type of forms.
    if !request.body.isEmpty { append("Expect:") }
    if !request.headers.contains("Content-Type") { append("Content-Type:") }
    headerList = list
    minicrm_curl_set_list(easy, CURLOPT_HTTPHEADER, list)
  }
}

extension Slice<UnsafeRawBufferPointer> {
  /// Without the bytes at both ends for which `isSpace` holds.
  fileprivate func trimmed(_ isSpace: (UInt8) -> Bool) -> Self {
    var slice = self
    while let first = slice.first, isSpace(first) { slice.removeFirst() }
    while let last = slice.last, isSpace(last) { slice.removeLast() }
    return slice
  }
}
