import CMicroHTTPD
import Glibc
import Synchronization

/// One request and its response between libmicrohttpd's thread, the handler's task and the watch over deadlines.
///
/// What happens when is decided by `ExchangeState`; this class carries it out.
// @unchecked: `mhd` is libmicrohttpd's connection, which lives until `finish`; it is used only on its own thread, or to
// resume it, which only whoever took the suspension from the state may do. The variables below "Intake" are written
// only on libmicrohttpd's thread of this connection; what other threads read of them to answer early was written before
// the state said that the head is there.
final class Exchange: @unchecked Sendable {
  let core: ServerCore
  let connection: Connection
  let mhd: OpaquePointer
  let state: Mutex<ExchangeState>
  private let task = Mutex<Task<Void, Never>?>(nil)
  let responseStream = Mutex<ResponseStream?>(nil)
  /// How much of the body was there when the client was last seen to have hung up.
  private let hungUpAfter = Mutex<Int?>(nil)

  // Intake.
  var target: [UInt8]
  let targetAddress: UnsafeRawPointer
  private var isHeadRead = false
  private(set) var request: HTTPRequest?
  private(set) var requestID: String?
  private(set) var isHead = false
  private var isChunked = false
  /// How many bytes of the connection belong to the request, so far; the framing of chunks aside, after which the connection
  /// is closed.
  private var consumed = 0
  private var collected: [UInt8] = []
  private var bodyLimit: Int?
  private var bodyStream: BodyStream?
  private var handlerDeadline: Duration
  private var isComplete = false

  init(
    core: ServerCore, connection: Connection, mhd: OpaquePointer, target: UnsafePointer<CChar>,
    began: ContinuousClock.Instant
  ) {
    self.core = core
    self.connection = connection
    self.mhd = mhd
    self.targetAddress = UnsafeRawPointer(target)
    self.target = [UInt8](UnsafeRawBufferPointer(start: target, count: strlen(target)))
    self.handlerDeadline = core.configuration.handlerDeadline
    state = Mutex(ExchangeState(began: began))
  }

  var phase: ExchangePhase { state.withLock { $0.phase } }

  // MARK: - Calls of libmicrohttpd's access handler, in the order in which they come

  /// One call: the first when the head is there, then one for each piece of the body, then one or more at the end.
  func access(
    method: UnsafePointer<CChar>, version: UnsafePointer<CChar>, data: UnsafePointer<CChar>?,
    size: UnsafeMutablePointer<Int>
  ) -> MHD_Result {
    connection.worker.noteProgress()
    if !isHeadRead {
      isHeadRead = true
      return readHead(method: UnsafeRawPointer(method), version: UnsafeRawPointer(version))
    }
    if size.pointee > 0, let data {
      consumed += size.pointee
      receive(UnsafeRawBufferPointer(start: data, count: size.pointee))
      size.pointee = 0
      return .YES
    }
    return requestComplete()
  }

  private func readHead(method: UnsafeRawPointer, version: UnsafeRawPointer) -> MHD_Result {
    let now = ContinuousClock.now
    var readable: RequestHead?
    do throws(RequestProblem) {
      let head = try parseHead(method: method, version: version)
      readable = head
      requestID = head.requestID
      isHead = head.method == .head
      isChunked = head.contentLength == nil
      // After it has been read: its headers decide who may read the refusal.
      try checkSize()
      var request = makeRequest(
        head.method, try RequestTarget(target, method: head.method), headers: head.headers, now: now)
      core.router.resolve(&request)
      self.request = request
      return prepareBody(head, request, now: now)
    } catch {
      let word = HTTPMethod(rawValue: String(cString: method.assumingMemoryBound(to: CChar.self)))
      request = makeRequest(
        readable?.method ?? word, RequestTarget(undecoded: target), headers: readable?.headers ?? [:], now: now)
      let problem = HTTPServerProblem(error)
      return perform(state.withLock { $0.refuse(problem, clientWaits: true, now: now) })
    }
  }

  private func makeRequest(
    _ method: HTTPMethod, _ target: RequestTarget, headers: HTTPHeaders, now: ContinuousClock.Instant
  ) -> HTTPRequest {
    let id = requestID ?? core.nextRequestID()
    requestID = id
    return HTTPRequest(
      method: method, target: target, rawTarget: String(decoding: self.target, as: UTF8.self), headers: headers,
      remoteAddress: connection.address, body: .empty, id: id, receivedAt: now)
  }

  private func checkSize() throws(RequestProblem) {
    let configuration = core.configuration
    if target.count > configuration.maximumTargetBytes {
      throw .targetTooLong(limit: configuration.maximumTargetBytes)
    }
    if minicrm_mhd_head_size(mhd) > configuration.maximumHeadBytes {
      throw .headersTooLarge(limit: configuration.maximumHeadBytes)
    }
  }

  private func parseHead(method: UnsafeRawPointer, version: UnsafeRawPointer) throws(RequestProblem) -> RequestHead {
    let size = minicrm_mhd_head_size(mhd)
    // libmicrohttpd reads each request to the start of its pool, which is mapped memory, and passes over empty lines,
    // or what it takes for such, before the request line. One CR LF may be there (RFC 9112, section 2.2), no more.
    let skipped = UInt(bitPattern: method) & UInt(ServerCore.pageSize - 1)
    guard skipped == 0 || skipped == 2 else { throw .malformed("bytes before the request line") }
    consumed = Int(skipped) + size
    let start = targetAddress - method
    return try RequestHead(
      block: UnsafeRawBufferPointer(start: method, count: size), target: start..<(start + target.count),
      version: version - method)
  }

  /// Decides how the body is read, and on a route that streams starts the handler.
  private func prepareBody(_ head: RequestHead, _ request: HTTPRequest, now: ContinuousClock.Instant) -> MHD_Result {
    var options = RouteOptions()
    if case .route(let route) = request.match { options = route.options }
    handlerDeadline = options.deadline ?? core.configuration.handlerDeadline
    bodyLimit = options.bodyLimit ?? (options.streamsBody ? nil : core.configuration.defaultBodyLimit)
    let hasBody = head.contentLength != 0
    let clientWaits = head.expectsContinue || !hasBody
    if let bodyLimit, let length = head.contentLength, length > bodyLimit {
      return perform(
        state.withLock { $0.refuse(.bodyTooLarge(limit: bodyLimit), clientWaits: clientWaits, now: now) })
    }
    if options.streamsBody {
      let stream = BodyStream(limit: bodyLimit) { [weak self] in self?.resumeReading() }
      bodyStream = stream
      start(body: HTTPBody(stream: stream), inline: false)
    } else if let length = head.contentLength {
      // What is announced need not come: beyond this the array grows as it fills.
      collected.reserveCapacity(min(length, ServerCore.inlineBodyLimit))
    }
    return perform(
      state.withLock {
        $0.headComplete(hasBody: hasBody, clientWaits: clientWaits, handlerDeadline: handlerDeadline, now: now)
      })
  }

  private func perform(_ action: ExchangeState.HeadAction) -> MHD_Result {
    switch action {
    case .goOn: return .YES
    case .answerNow(let outcome): return queue(outcome, closing: true)
    case .sendEarly(let outcome):
      sendEarly(outcome)
      return .YES
    }
  }

  private func receive(_ bytes: UnsafeRawBufferPointer) {
    guard case .take = state.withLock({ $0.received(bytes: bytes.count) }) else { return }
    if let bodyStream {
      bodyStream.push([UInt8](bytes))
      guard bodyStream.isFull else { return }
      state.withLock { state in
        // Looked at again under the lock: the reader may have emptied it, and would not resume what is not suspended.
        if bodyStream.isFull, state.pauseReading(now: .now) { MHD_suspend_connection(mhd) }
      }
    } else if let bodyLimit, collected.count + bytes.count > bodyLimit {
      collected = []
      complete(.failure(.bodyTooLarge(limit: bodyLimit)))
    } else {
      collected.append(contentsOf: bytes)
    }
  }

  private func resumeReading() {
    if state.withLock({ $0.resumeReading(now: .now) }) { connection.worker.resume(mhd) }
  }

  private func requestComplete() -> MHD_Result {
    if !isComplete {
      isComplete = true
      state.withLock { $0.requestComplete(deadline: handlerDeadline, now: .now) }
      if let bodyStream {
        bodyStream.end(.success(()))
      } else {
        let body = collected
        collected = []
        start(body: HTTPBody(body), inline: body.count <= ServerCore.inlineBodyLimit)
      }
    }
    let action = state.withLock { state in
      let action = state.proceed()
      // Under the lock: else the handler's task could resume the connection before it is suspended.
      if case .suspend = action { MHD_suspend_connection(mhd) }
      return action
    }
    switch action {
    case .respond(let outcome):
      // libmicrohttpd takes chunks whose lines end in a bare LF, which cannot always be seen here. So that no two
      // readers can disagree about where the next request begins, there is none.
      return queue(outcome, closing: isChunked || core.isStopping)
    case .suspend: return .YES
    case .close: return .NO
    }
  }

  /// libmicrohttpd has ended the request; the exchange must not touch its connection any more.
  func finish(completed: Bool, now: ContinuousClock.Instant) {
    state.withLock { $0.finish() }
    let task = self.task.withLock { task in
      defer { task = nil }
      return task
    }
    if !completed { task?.cancel() }
    bodyStream?.end(.failure(.disconnected))
    responseStream.withLock { $0 = nil }
    connection.exchangeEnded(consumed: consumed, now: now)
  }

  // MARK: - The handler

  /// Starts the handler's task.
  ///
  /// - Parameter inline: it runs here, on libmicrohttpd's thread, to its first suspension. That saves two changes of
  ///   thread for a handler that needs none, but holds up the thread's other connections: not for large bodies.
  private func start(body: HTTPBody, inline: Bool) {
    guard var request, state.withLock({ $0.isPending }) else { return }
    request.body = body
    let run = { @Sendable [self, request] in complete(.success(await core.responder.respond(to: request))) }
    let task = inline ? Task.immediate(operation: run) : Task(operation: run)
    state.withLock { state in
      if case .pending = state.answer { self.task.withLock { $0 = task } }
    }
  }

  /// Stores the outcome, unless another was first, and lets it be sent.
  private func complete(_ outcome: ExchangeState.Outcome) {
    let action = state.withLock { $0.store(outcome, now: .now) }
    if let early = action.early { sendEarly(early) }
    if action.resume { connection.worker.resume(mhd) }
  }

  private func sendEarly(_ outcome: ExchangeState.Outcome) {
    let response = core.response(for: outcome, to: request)
    connection.sendEarly(EarlyResponse.encode(response, requestID: requestID, withBody: !isHead))
    bodyStream?.end(.failure(.disconnected))
  }

  // MARK: - Deadlines and the end of the server

  /// The request has not arrived in time.
  func requestTimedOut() {
    if state.withLock({ $0.giveUpHead(now: .now) }) {
      // The head that tells who asks for what, and may name another id, never came.
      let response = core.response(for: .failure(.requestTimeout), to: nil)
      connection.sendEarly(EarlyResponse.encode(response, requestID: core.nextRequestID()))
      connection.shutDown()
    } else {
      preempt(.requestTimeout)
    }
  }

  func handlerTimedOut(after deadline: Duration) {
    preempt(.handlerTimedOut(after: deadline))
  }

  /// Answers in the handler's place and cancels it.
  private func preempt(_ problem: HTTPServerProblem) {
    // In this order: a handler cancelled first could still be the first to answer, and an exchange answered first may
    // have forgotten its task.
    let task = self.task.withLock { $0 }
    complete(.failure(problem))
    task?.cancel()
  }

  /// The client has ended its direction of the connection, or all of it.
  func clientHungUp() {
    switch phase {
    case .streaming: responseStream.withLock { $0 }?.abort()
    case .body(let clock):
      // Seen twice without a byte in between and nothing left to read: the rest of the body will not come.
      let isSeenBefore = hungUpAfter.withLock { seen in
        defer { seen = clock.received }
        return seen == clock.received
      }
      if isSeenBefore, connection.hasNothingToRead { connection.shutDown() }
    default: break
    }
  }

  /// The server is stopping: an endless response ends now, in order.
  func endIfEndless() {
    responseStream.withLock { $0?.isEndless == true ? $0 : nil }?.finish()
  }

  /// The server stops: whatever still runs is cancelled, and nothing stays suspended.
  func halt() {
    preempt(.stopping)
    responseStream.withLock { $0 }?.abort()
    if state.withLock({ $0.halt() }) { connection.worker.resume(mhd) }
  }
}
