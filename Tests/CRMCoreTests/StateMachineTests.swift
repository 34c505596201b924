import CRMCore
import Testing

/// Every state and every event of the machines beside the store's writes.
@Suite struct StateMachineTests {
  /// The possible transitions of a run; every pair that is not named is impossible.
  private static let runs: [RunState: [RunState.Event: RunState]] = [
    .launched: [.freeze: .freezing, .pause: .paused, .cancel: .cancelled, .fail: .failed],
    .freezing: [
      .freeze: .freezing, .finishFreezing: .running, .pause: .paused, .cancel: .cancelled, .fail: .failed,
    ],
    .running: [.pause: .paused, .cancel: .cancelled, .fail: .failed, .complete: .completed],
    .paused: [.resumeFreezing: .launched, .resumeSending: .running, .cancel: .cancelled, .fail: .failed],
    .completed: [:], .cancelled: [:], .failed: [:],
  ]

  @Test func aRunKnowsTheseTransitionsAndNoOthers() {
    for state in RunState.allCases {
      for event in RunState.Event.allCases {
        #expect(state.after(event) == Self.runs[state]?[event], "\(state) \(event)")
      }
      #expect(state.isFinal == (Self.runs[state]?.isEmpty == true))
    }
    for event in RunState.Event.allCases {
      #expect(RunState.allowing(event) == RunState.allCases.filter { Self.runs[$0]?[event] != nil })
    }
  }

  @Test func onlyARunInSendingStatesSends() {
    #expect(RunState.allCases.filter(\.sends) == [.launched, .freezing, .running])
    #expect(RunState.allCases.filter(\.resends) == [.launched, .freezing, .running, .completed])
  }

  @Test func aDeadLetterIsReplayedAgainButNeverAfterItWasDiscarded() {
    let expected: [DeadLetterState: [DeadLetterState.Event: DeadLetterState]] = [
      .new: [.replay: .replayed, .discard: .discarded], .replayed: [.replay: .replayed],
      .discarded: [.discard: .discarded],
    ]
    for state in DeadLetterState.allCases {
      for event in DeadLetterState.Event.allCases {
        #expect(state.after(event) == expected[state]?[event], "\(state) \(event)")
      }
    }
    #expect(DeadLetterState.allowing(.replay) == [.new, .replayed])
    #expect(DeadLetterState.allowing(.discard) == [.new, .discarded])
  }

  @Test func aChunkOnlyGoesForward() {
    let order = ChunkState.allCases
    for state in order {
      for event in ChunkState.Event.allCases {
        let next = state.after(event)
        let places = (order.firstIndex(of: state)!, order.firstIndex(of: next)!)
        #expect(places.0 <= places.1, "\(state) \(event)")
        #expect(next.after(event) == next || event == .settle, "\(state) \(event) twice")
      }
    }
    #expect(ChunkState.pending.after(.settle) == .pending, "leads without rows are not settled")
  }

  /// The transitions of a claim that change something; every other pair leaves the state as it is.
  private static let claims: [ClaimState: [ClaimState.Event: ClaimState]] = [
    .queued: [
      .claim: .held, .putOff: .deferred, .tellUnknown: .undecided, .tellSent: .closed, .cancel: .closed,
    ],
    .deferred: [.claim: .held, .tellUnknown: .undecided, .tellSent: .closed, .cancel: .closed],
    .held: [.release: .waiting, .retryLater: .waiting, .tellUnknown: .undecided, .tellSent: .closed],
    .waiting: [.claim: .held, .tellUnknown: .undecided, .tellSent: .closed, .cancel: .closed],
    .undecided: [.resend: .resending, .tellSent: .closed],
    .resending: [.claim: .resent, .tellSent: .closed],
    .resent: [.release: .resending, .retryLater: .resending, .resend: .resending, .tellSent: .closed],
    .exhausted: [.replay: .resending], .closed: [:],
  ]

  @Test func aClaimKnowsTheseTransitionsAndNoOthers() {
    for state in ClaimState.allCases {
      for event in ClaimState.Event.allCases {
        #expect(state.after(event) == Self.claims[state]?[event] ?? state, "\(state) \(event)")
      }
    }
  }

  @Test func nothingLeadsFromUndecidedBackToACallButADecision() {
    for event in ClaimState.Event.allCases where event != .resend && event != .replay {
      #expect([.undecided, .closed].contains(ClaimState.undecided.after(event)), "\(event)")
    }
  }
}
