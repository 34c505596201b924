import Testing

@testable import HTTP

@Suite struct ExchangeStateTests {
  private let now = ContinuousClock.now
  private let response = ExchangeState.Outcome.success(.text("answer"))
  private let stream = ExchangeState.Outcome.success(HTTPResponse(body: .stream(length: nil, { nil })))

  private func state(body: Bool, clientWaits: Bool = false) -> ExchangeState {
    var state = ExchangeState(began: now)
    _ = state.headComplete(hasBody: body, clientWaits: clientWaits, handlerDeadline: .seconds(1), now: now)
    return state
  }

  @Test func aResponseStoredBeforeTheSuspensionNeedsNone() {
    var state = state(body: false)
    state.requestComplete(deadline: .seconds(1), now: now)
    let action = state.store(response, now: now)
    #expect(action.accepted && !action.resume && action.early == nil)
    guard case .respond = state.proceed() else {
      Issue.record("not answered")
      return
    }
  }

  @Test func aResponseStoredAfterTheSuspensionResumesOnce() {
    var state = state(body: false)
    state.requestComplete(deadline: .seconds(1), now: now)
    guard case .suspend = state.proceed() else {
      Issue.record("not suspended")
      return
    }
    let stored1 = state.store(response, now: now)
    #expect(stored1.resume)
    let halted2 = state.halt()
    #expect(!halted2)
  }

  @Test func theFirstResponseCounts() {
    var state = state(body: false)
    state.requestComplete(deadline: .seconds(1), now: now)
    let stored3 = state.store(.failure(.handlerTimedOut(after: .seconds(1))), now: now)
    #expect(stored3.accepted)
    let stored4 = state.store(response, now: now)
    #expect(!stored4.accepted)
  }

  @Test func aResponseBeforeTheEndOfTheBodyGoesPastTheLibrary() {
    var state = state(body: true)
    let stored5 = state.store(response, now: now)
    #expect(stored5.early != nil)
    guard case .discard = state.received(bytes: 10) else {
      Issue.record("the rest of the body is not thrown away")
      return
    }
    state.requestComplete(deadline: .seconds(1), now: now)
    guard case .close = state.proceed() else {
      Issue.record("not closed")
      return
    }
  }

  @Test func aStreamBeforeTheEndOfTheBodyWaitsForIt() {
    var state = state(body: true)
    let action = state.store(stream, now: now)
    #expect(action.early == nil)
    state.requestComplete(deadline: .seconds(1), now: now)
    guard case .respond = state.proceed() else {
      Issue.record("not answered")
      return
    }
  }

  @Test func aStoredResponseResumesAPausedBody() {
    var state = state(body: true)
    let paused6 = state.pauseReading(now: now)
    #expect(paused6)
    let paused7 = state.pauseReading(now: now)
    #expect(!paused7, "it is suspended already")
    let stored8 = state.store(response, now: now)
    #expect(stored8.resume)
    let resumed9 = state.resumeReading(now: now)
    #expect(!resumed9)
  }

  @Test func nothingIsSuspendedOnceHalted() {
    var state = state(body: true)
    let halted10 = state.halt()
    #expect(!halted10)
    let paused11 = state.pauseReading(now: now)
    #expect(!paused11)
    state.requestComplete(deadline: .seconds(1), now: now)
    guard case .close = state.proceed() else {
      Issue.record("not closed")
      return
    }
  }

  @Test func aFinishedExchangeTakesNoResponse() {
    var state = state(body: false)
    state.finish()
    let stored12 = state.store(response, now: now)
    #expect(!stored12.accepted)
  }

  @Test func aHeadThatIsGivenUpIsAnsweredOnce() {
    var state = ExchangeState(began: now)
    let givenUp13 = state.giveUpHead(now: now)
    #expect(givenUp13)
    let givenUp14 = state.giveUpHead(now: now)
    #expect(!givenUp14)
    guard case .goOn = state.refuse(.bodyTooLarge(limit: 1), clientWaits: true, now: now) else {
      Issue.record("answered twice")
      return
    }
    state.requestComplete(deadline: .seconds(1), now: now)
    guard case .close = state.proceed() else {
      Issue.record("not closed")
      return
    }
  }

  @Test func aHeadThatIsThereIsNotGivenUp() {
    var state = state(body: true)
    let givenUp15 = state.giveUpHead(now: now)
    #expect(!givenUp15)
  }
}

@Suite struct ExchangePhaseTests {
  private let start = ContinuousClock.now
  private let limits = HTTPServer.Deadlines()

  private func verdict(_ phase: ExchangePhase, after seconds: Double) -> ExchangePhase.Verdict {
    phase.verdict(at: start + .seconds(seconds), limits)
  }

  @Test func connectionsAndHeadsHaveTenSeconds() {
    #expect(verdict(.idle(since: start, fresh: true), after: 9.9) == .keep)
    #expect(verdict(.idle(since: start, fresh: true), after: 10.1) == .close)
    #expect(verdict(.idle(since: start, fresh: false), after: 59.9) == .keep)
    #expect(verdict(.idle(since: start, fresh: false), after: 60.1) == .close)
    #expect(verdict(.requestLine(since: start), after: 9.9) == .keep)
    #expect(verdict(.requestLine(since: start), after: 10.1) == .close)
    #expect(verdict(.head(since: start), after: 9.9) == .keep)
    #expect(verdict(.head(since: start), after: 10.1) == .requestTimedOut)
  }

  @Test func bodiesKeepTheirRateAfterTheGrace() {
    var clock = BodyClock(started: start, handlerDeadline: .seconds(30))
    #expect(verdict(.body(clock), after: 9.9) == .probe)
    #expect(verdict(.body(clock), after: 10.1) == .requestTimedOut)
    clock.receive(1_000_000)
    #expect(verdict(.body(clock), after: 19.9) == .probe)
    #expect(verdict(.body(clock), after: 20.1) == .requestTimedOut)
  }

  @Test func timeInWhichTheServerDoesNotReadDoesNotCount() {
    var clock = BodyClock(started: start, handlerDeadline: .seconds(30))
    clock.pause(at: start + .seconds(5))
    #expect(verdict(.body(clock), after: 34) == .keep)
    #expect(verdict(.body(clock), after: 36) == .handlerTimedOut(after: .seconds(30)))
    clock.resume(at: start + .seconds(34))
    #expect(verdict(.body(clock), after: 38) == .probe)
    #expect(verdict(.body(clock), after: 40) == .requestTimedOut)
  }

  @Test func responsesMustBeTaken() {
    #expect(verdict(.sending(since: start, bytes: 1_000_000), after: 19) == .keep)
    #expect(verdict(.sending(since: start, bytes: 1_000_000), after: 21) == .close)
    #expect(verdict(.streaming(progress: start, producerIsLate: false), after: 31) == .close)
    #expect(verdict(.streaming(progress: start, producerIsLate: true), after: 31) == .probe)
    #expect(verdict(.lingering(since: start), after: 1.1) == .close)
  }

  @Test func handlersHaveTheirDeadline() {
    let phase = ExchangePhase.handling(since: start, deadline: .seconds(3))
    #expect(verdict(phase, after: 2.9) == .keep)
    #expect(verdict(phase, after: 3.1) == .handlerTimedOut(after: .seconds(3)))
  }

  @Test func millisecondsAreRoundedUpAndBounded() {
    #expect(Duration.microseconds(1).millisecondsRoundedUp == 1)
    #expect(Duration.milliseconds(1500).millisecondsRoundedUp == 1500)
    #expect(Duration.seconds(-1).millisecondsRoundedUp == 0)
    #expect(Duration.seconds(Int64.max / 2).millisecondsRoundedUp == 2_147_483_647)
  }
}
