/// One request and its response as a state machine; pure. Its methods return what the caller must do once it has let
/// go of the lock, save for suspending, which must happen under it (see `Exchange`).
struct ExchangeState {
  /// What answers the request: a handler's response, or a problem of the server's own. That one is rendered when it is
  /// sent, since only then is it certain that the request has been read.
  typealias Outcome = Result<HTTPResponse, HTTPServerProblem>

  /// How much of the request has arrived.
  enum Intake { case head, body, complete }

  enum Answer {
    case pending
    case ready(Outcome)
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

  /// - Parameter began: when the first byte of the request came.
  init(began: ContinuousClock.Instant) {
    phase = .head(since: began)
  }

  /// Whether an answer is still wanted.
  var isPending: Bool {
    if case .pending = answer { !isFinished } else { false }
  }

  enum HeadAction {
    case goOn
    case answerNow(Outcome)
    case sendEarly(Outcome)
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
    guard hasBody, case .ready(let outcome) = answer else { return .goOn }
    return clientWaits ? answerNow(outcome) : sendEarly(outcome, now: now)
  }

  /// The server itself answers: the head is refused.
  mutating func refuse(_ problem: HTTPServerProblem, clientWaits: Bool, now: ContinuousClock.Instant) -> HeadAction {
    intake = .body
    // Given up just before it was complete.
    if case .sentEarly = answer { return .goOn }
    return clientWaits ? answerNow(.failure(problem)) : sendEarly(.failure(problem), now: now)
  }

  /// The head has not come in time. Returns whether the caller must say so and end the connection.
  mutating func giveUpHead(now: ContinuousClock.Instant) -> Bool {
    guard intake == .head, isPending else { return false }
    answer = .sentEarly
    phase = .lingering(since: now)
    return true
  }

  private mutating func answerNow(_ outcome: Outcome) -> HeadAction {
    answer = .queued
    return .answerNow(outcome)
  }

  private mutating func sendEarly(_ outcome: Outcome, now: ContinuousClock.Instant) -> HeadAction {
    if case .success(let response) = outcome, case .stream = response.body {
      // A stream needs libmicrohttpd: it is sent when the body has been read and thrown away.
      answer = .ready(outcome)
      return .goOn
    }
    answer = .sentEarly
    phase = .lingering(since: now)
    return .sendEarly(outcome)
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
    case respond(Outcome)
    case suspend, close
  }

  /// What to do with a complete request: once after it has become so, and whenever the connection has been resumed.
  mutating func proceed() -> FinalAction {
    switch answer {
    case .ready(let outcome):
      answer = .queued
      return .respond(outcome)
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
    var early: Outcome?
    var resume = false
  }

  /// An outcome is there: the handler's, or the server's own because a deadline has passed. The first one counts.
  mutating func store(_ outcome: Outcome, now: ContinuousClock.Instant) -> StoreAction {
    guard case .pending = answer, !isFinished else { return StoreAction() }
    var action = StoreAction(accepted: true)
    if intake == .body, case .sendEarly(let early) = sendEarly(outcome, now: now) {
      action.early = early
    } else {
      answer = .ready(outcome)
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
