import CRMCore
import Testing

@Suite struct SendStatusTests {
  /// delivery.md's order of states, with the two decisions not to send between what is in flight and what is evidence.
  @Test func statesHaveTheDocumentedOrder() {
    #expect(
      SendStatus.allCases.sorted() == [
        .pending, .queued, .sending, .skipped, .cancelled, .unknown, .sent, .failed, .delivered, .read,
      ])
    #expect(Set(SendStatus.allCases.map(\.rank)).count == SendStatus.allCases.count)
  }

  @Test func nothingMovesDownOrStays() {
    for current in SendStatus.allCases {
      for next in SendStatus.allCases where next <= current {
        for evidence in Evidence.allCases {
          #expect(!current.accepts(next, evidence: evidence))
        }
      }
    }
  }

  @Test func evidenceMovesEveryStateUp() {
    for current in SendStatus.allCases {
      for next in SendStatus.allCases where next > current {
        #expect(current.accepts(next, evidence: .outcome))
        #expect(current.accepts(next, evidence: .receipt))
      }
    }
  }

  @Test func aDecisionMovesOnlyWhatIsInFlight() {
    for next in SendStatus.allCases {
      for current in [SendStatus.skipped, .cancelled, .unknown, .sent, .failed, .delivered, .read] {
        #expect(!current.accepts(next, evidence: .decision))
      }
    }
    #expect(SendStatus.pending.accepts(.queued, evidence: .decision))
    #expect(SendStatus.queued.accepts(.cancelled, evidence: .decision))
    #expect(SendStatus.sending.accepts(.unknown, evidence: .decision))
    #expect(SendStatus.sending.accepts(.skipped, evidence: .decision))
    #expect(!SendStatus.sending.accepts(.cancelled, evidence: .decision))
  }

  @Test func everyStateIsInFlightOrFinalOrUnknown() {
    for status in SendStatus.allCases {
      #expect([status.isInFlight, status.isFinal, status == .unknown].filter { $0 }.count == 1)
    }
    #expect(SendStatus.allCases.filter(\.isInFlight) == [.pending, .queued, .sending])
  }
}
