import CMicroHTTPD

/// How a response is given to libmicrohttpd, on its thread.
extension Exchange {
  func queue(_ outcome: ExchangeState.Outcome, closing: Bool) -> MHD_Result {
    let response = core.response(for: outcome, to: request)
    let message: OpaquePointer?
    var starting: (ResponseStream, HTTPResponse.Producer)?
    switch response.body {
    case .bytes(let bytes):
      state.withLock { $0.phase = .sending(since: .now, bytes: bytes.count) }
      message = bytes.withUnsafeBytes { buffer in
        MHD_create_response_from_buffer(
          buffer.count, UnsafeMutableRawPointer(mutating: buffer.baseAddress), .RESPMEM_MUST_COPY)
      }
    case .stream(let length, let producer):
      // Server-sent events have no end of their own; every other stream has, and must not seem complete before it.
      let isEndless = response.headers["Content-Type"]?.hasPrefix("text/event-stream") ?? false
      let stream = ResponseStream(connection: mhd, worker: connection.worker, isEndless: isEndless) {
        [weak self] producerIsLate in
        self?.noteProgress(producerIsLate: producerIsLate)
      }
      noteProgress(producerIsLate: true)
      message = MHDCallbacks.response(length: length, stream: stream)
      let hasNoBody = isHead || response.status == 204 || response.status == 304
      if message != nil, !hasNoBody { starting = (stream, producer) }
    }
    guard let message else { return .NO }
    addHeaders(response.headers, to: message, closing: closing)
    let result = MHD_queue_response(mhd, UInt32(response.status), message)
    MHD_destroy_response(message)
    if let (stream, producer) = starting {
      responseStream.withLock { $0 = stream }
      stream.start(producer)
      // The end of the server may have come before the stream was there to be found.
      if state.withLock({ $0.isHalted }) { stream.abort() }
      if core.isStopping { endIfEndless() }
    }
    return result
  }

  private func addHeaders(_ headers: HTTPHeaders, to message: OpaquePointer, closing: Bool) {
    headers.forEachField { name, value in
      let isAdded =
        ResponseRules.mayAdd(name: name, value: value)
        && name.withMemoryRebound(to: CChar.self) { name in
          value.withMemoryRebound(to: CChar.self) { value in
            MHD_add_response_header(message, name.baseAddress, value.baseAddress) == .YES
          }
        }
      if !isAdded { core.log("response header \(String(decoding: name, as: UTF8.self)) left out") }
    }
    if let requestID, !headers.contains("X-Request-Id") { MHD_add_response_header(message, "X-Request-Id", requestID) }
    if closing { MHD_add_response_header(message, "Connection", "close") }
  }

  private func noteProgress(producerIsLate: Bool) {
    state.withLock { $0.phase = .streaming(progress: .now, producerIsLate: producerIsLate) }
  }
}
