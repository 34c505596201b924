/// One request and its response as a state machine; pure. Its methods return what the caller must do once it has let
/// go of the lock, save for suspending, which must happen under it (see `Exchange`).
struct ExchangeState {
  /// How much of the request has arrived.
  enum Intake { case head, body, complete }

  enum Answer {
    case pending
    case ready(HTTPResponse)
    /// Handed to libmicrohttpd.
    case queued
    /// Written to the socket past libmicrohttpd, because the body had not ended.
    case sentEarly
  }

  enum Suspension { case forBody, forResponse }

  private(set) var intake = Intake.head
  private(set) var answer = Answer.pending
  private(set) var suspension: Suspension?
  /// libmicrohttpd has ended the request, well or not.
  private(set) var isFinished = false
  /// The server stops: nothing may be suspended any more.
  private(set) var isHalted = false
  var phase: ExchangePhase

  init(now: ContinuousClock.Instant) {
    phase = .head(since: now)
  }

  /// Whether an answer is still wanted.
  var isPending: Bool {
    if case .pending = answer { !isFinished } else { false }
  }

  enum HeadAction {
    case goOn
    case answerNow(HTTPResponse)
    case sendEarly(HTTPResponse)
  }

  /// The head has been read and, on a route that streams, the handler has started.
  ///
  /// - Parameter clientWaits: it asked for `100 Continue`, or there is no body: it is not sending now, so that an
  ///   answer which closes the connection reaches it.
  mutating func headComplete(
    hasBody: Bool, clientWaits: Bool, handlerDeadline: Duration, now: ContinuousClock.Instant
  ) -> HeadAction {
    intake = .body
    phase = .body(BodyClock(started: now, handlerDeadline: handlerDeadline))
    guard hasBody, case .ready(let response) = answer else { return .goOn }
    return clientWaits ? answerNow(response) : sendEarly(response, now: now)
  }

  /// The server itself answers: the head is refused.
  mutating func refuse(_ response: HTTPResponse, clientWaits: Bool, now: ContinuousClock.Instant) -> HeadAction {
    intake = .body
    return clientWaits ? answerNow(response) : sendEarly(response, now: now)
  }

  private mutating func answerNow(_ response: HTTPResponse) -> HeadAction {
    answer = .queued
    return .answerNow(response)
  }

  private mutating func sendEarly(_ response: HTTPResponse, now: ContinuousClock.Instant) -> HeadAction {
    guard case .bytes = response.body else {
      // A stream needs libmicrohttpd: it is sent when the body has been read and thrown away.
      answer = .ready(response)
      return .goOn
    }
    answer = .sentEarly
    phase = .lingering(since: now)
    return .sendEarly(response)
  }

  enum UploadAction { case take, discard }

  mutating func received(bytes: Int) -> UploadAction {
    if case .body(var clock) = phase {
      clock.receive(bytes)
      phase = .body(clock)
    }
    if case .pending = answer { return .take }
    return .discard
  }

  /// The request has arrived whole: from now on the response goes the usual way.
  mutating func requestComplete(deadline: Duration, now: ContinuousClock.Instant) {
    intake = .complete
    if case .pending = answer { phase = .handling(since: now, deadline: deadline) }
  }

  enum FinalAction {
    case respond(HTTPResponse)
    case suspend, close
  }

  /// What to do with a complete request: once after it has become so, and whenever the connection has been resumed.
  mutating func proceed() -> FinalAction {
    switch answer {
    case .ready(let response):
      answer = .queued
      return .respond(response)
    case .pending where !isHalted:
      suspension = .forResponse
      return .suspend
    case .pending, .queued, .sentEarly:
      return .close
    }
  }

  /// Whether reading may pause until the handler has taken what is there.
  mutating func pauseReading(now: ContinuousClock.Instant) -> Bool {
    guard !isHalted, suspension == nil, case .pending = answer else { return false }
    if case .body(var clock) = phase {
      clock.pause(at: now)
      phase = .body(clock)
    }
    suspension = .forBody
    return true
  }

  /// The handler has taken the body's bytes. Returns whether the connection must be resumed.
  mutating func resumeReading(now: ContinuousClock.Instant) -> Bool {
    guard suspension == .forBody else { return false }
    suspension = nil
    if case .body(var clock) = phase {
      clock.resume(at: now)
      phase = .body(clock)
    }
    return true
  }

  struct StoreAction {
    var accepted = false
    var early: HTTPResponse?
    var resume = false
  }

  /// A response is there: the handler's, or the server's own because a deadline has passed. The first one counts.
  mutating func store(_ response: HTTPResponse, now: ContinuousClock.Instant) -> StoreAction {
    guard case .pending = answer, !isFinished else { return StoreAction() }
    var action = StoreAction(accepted: true)
    if intake == .body, case .sendEarly(let early) = sendEarly(response, now: now) {
      action.early = early
    } else {
      answer = .ready(response)
    }
    action.resume = takeSuspension()
    return action
  }

  /// The server stops now. Returns whether the connection must be resumed.
  mutating func halt() -> Bool {
    isHalted = true
    return takeSuspension()
  }

  mutating func finish() {
    isFinished = true
  }

  private mutating func takeSuspension() -> Bool {
    defer { suspension = nil }
    return suspension != nil
  }
}
