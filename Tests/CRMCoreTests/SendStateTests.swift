import BSON
import CRMCore
import CivilTime
import Testing

@Suite struct SendStateTests {
  private let now = Fixture.now

  private func at(_ seconds: Int) -> Timestamp { now.advanced(by: .seconds(seconds)) }

  private func outcome(
    _ status: SendStatus, at time: Int = 0, id: String? = "m1", error: SendError? = nil, attempt: Int32 = 1
  ) -> SendEvent {
    SendEvent(
      status: status, at: at(time), source: .outcome(worker: "w1"), vendor: id == nil ? nil : "acme",
      vendorMessageID: id, error: error, attempt: attempt)
  }

  private func receipt(
    _ status: SendStatus, at time: Int = 0, id: String = "m1", error: SendError? = nil
  ) -> SendEvent {
    SendEvent(
      status: status, at: at(time), source: .receipt, vendor: "acme", vendorMessageID: id, error: error)
  }

  /// A row as the store has written it before anything was heard.
  private func row(_ status: SendStatus) -> SendState {
    var state = SendState(status: status)
    state.history.record(status, at: at(-10))
    return state
  }

  private var everyEvent: [SendEvent] {
    StatusUpdate.statuses.map { outcome($0, at: 1, error: SendError(errorClass: "c", message: $0.rawValue)) }
      + DeliveryReceipt.statuses.map { receipt($0, at: 2) }
  }

  @Test func everyStateTakesEveryEventByRank() {
    for status in SendStatus.allCases {
      for event in everyEvent {
        let (state, _) = row(status).merge([event])
        #expect(state.status == max(status, event.status), "\(status) + \(event.status)")
        #expect(state.history[event.status] == min(event.at, row(status).history[event.status] ?? event.at))
      }
    }
  }

  @Test func theOrderOfAnyThreeEventsDoesNotMatter() {
    let events =
      everyEvent + [outcome(.sent, at: 3, id: "m0"), outcome(.failed, at: 0, id: nil, error: nil, attempt: 3)]
    for status in SendStatus.allCases {
      for a in events {
        for b in events {
          for c in events {
            let expected = row(status).merge([a, b, c]).state
            for permutation in [[a, c, b], [b, a, c], [b, c, a], [c, a, b], [c, b, a]] {
              if row(status).merge(permutation).state != expected { Issue.record("\(status): \([a, b, c])") }
            }
          }
        }
      }
    }
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func shufflingRepeatingAndSplittingEventsChangesNothing(seed: UInt64) {
    var random = CoreRandom(state: seed)
    for _ in 0..<300 {
      let start = row(SendStatus.allCases.randomElement(using: &random)!)
      let events = (0..<Int.random(in: 1...8, using: &random)).map { _ in
        var event = everyEvent.randomElement(using: &random)!
        event.at = at(Int.random(in: 0...5, using: &random))
        event.vendorMessageID = ["m1", "m2", nil].randomElement(using: &random)!
        return event
      }
      let expected = start.merge(events).state
      #expect(start.merge(events + events).state == expected)
      let shuffled = events.shuffled(using: &random)
      let split = Int.random(in: 0...shuffled.count, using: &random)
      let parts = start.merge(Array(shuffled[..<split])).state.merge(Array(shuffled[split...])).state
      #expect(parts == expected)
    }
  }

  @Test func aSendAndItsReceiptThatArriveTogetherAreOneMerge() {
    let (state, anomalies) = row(.queued).merge([receipt(.delivered, at: 5), outcome(.sent, at: 4)])
    #expect(state.status == .delivered)
    #expect(state.history.sentAt == at(4))
    #expect(state.history.deliveredAt == at(5))
    #expect(state.history.queuedAt == at(-10))
    #expect(state.vendorMessageID == "m1")
    #expect(state.vendor == "acme")
    #expect(state.attempt == 1)
    #expect(anomalies.isEmpty)
  }

  @Test func aReadReceiptNeedsNoDeliveredOneBeforeIt() {
    let (state, anomalies) = row(.sent).merge([receipt(.read, at: 9)])
    #expect(state.status == .read)
    #expect(state.history.readAt == at(9))
    #expect(state.history.deliveredAt == nil)
    #expect(anomalies.isEmpty)
    let late = state.merge([receipt(.delivered, at: 8)])
    #expect(late.state.status == .read)
    #expect(late.state.history.deliveredAt == at(8))
    #expect(late.anomalies.isEmpty)
  }

  @Test func aReceiptResolvesWhatWasUnknown() {
    let timeout = SendError(errorClass: "timeout", message: "no answer")
    let (state, anomalies) = row(.sending).merge([outcome(.unknown, at: 1, error: timeout), receipt(.sent, at: 2)])
    #expect(state.status == .sent)
    #expect(state.error == timeout)
    #expect(anomalies.isEmpty)
  }

  @Test func aMessageThatFailedAndArrivedHasArrivedAndIsCounted() {
    let refused = SendError(errorClass: "refused", message: "no")
    let (state, anomalies) = row(.sending).merge([
      outcome(.failed, at: 1, error: refused), receipt(.delivered, at: 2), receipt(.delivered, at: 2),
    ])
    #expect(state.status == .delivered)
    #expect(state.error == refused)
    #expect(anomalies.map(\.kind) == [.deliveredAfterFailed])
    let other = row(.sending).merge([receipt(.delivered, at: 2), outcome(.failed, at: 3, error: refused)])
    #expect(other.state.status == .delivered)
    #expect(other.anomalies.map(\.kind) == [.failedAfterDelivered])
  }

  @Test func aSentReceiptThatWasOvertakenByItsFailureIsNoAnomaly() {
    let overtaken = row(.sending).merge([receipt(.failed, at: 5), receipt(.sent, at: 3)])
    #expect(overtaken.state.status == .failed)
    #expect(overtaken.anomalies.isEmpty)
    let contradiction = row(.sending).merge([receipt(.failed, at: 5), receipt(.sent, at: 6)])
    #expect(contradiction.state.status == .failed)
    #expect(contradiction.anomalies.map(\.kind) == [.sentAfterFailed])
  }

  @Test func evidenceWinsOverADecisionNotToSend() {
    for status in DeliveryReceipt.statuses {
      let cancelled = row(.cancelled).merge([receipt(status)])
      #expect(cancelled.state.status == status)
      #expect(cancelled.anomalies.map(\.kind) == [.evidenceAfterCancelled])
      let skipped = row(.skipped).merge([receipt(status), receipt(status)])
      #expect(skipped.state.status == status)
      #expect(skipped.anomalies.map(\.kind) == [.evidenceAfterSkipped])
    }
    #expect(row(.cancelled).merge([outcome(.skipped)]).state.status == .cancelled)
    #expect(row(.cancelled).merge([outcome(.skipped)]).anomalies.isEmpty)
  }

  @Test func twoMessagesAtTheVendorForOneSendAreCounted() {
    let (state, anomalies) = row(.sending).merge([outcome(.sent, id: "m2"), receipt(.delivered, at: 2, id: "m1")])
    #expect(state.status == .delivered)
    #expect(state.vendorMessageID == "m1")
    #expect(anomalies.map(\.kind) == [.vendorMessageConflict])
  }

  @Test func theEarliestFailureExplainsAndOutweighsAnUnknown() {
    func error(_ text: String) -> SendError { SendError(errorClass: text, message: text) }
    let (state, _) = row(.sending).merge([
      outcome(.unknown, at: 0, error: error("u")), receipt(.failed, at: 4, error: error("late")),
      receipt(.failed, at: 2, error: error("early")), outcome(.unknown, at: 1, error: error("u2")),
    ])
    #expect(state.error == error("early"))
    #expect(state.history.failedAt == at(2))
  }

  @Test func changedFieldsAreWhatARowNeedsToBeTheNewState() throws {
    let old = row(.queued)
    let (new, _) = old.merge([
      outcome(.failed, at: 1, error: SendError(errorClass: "c", message: "m"), attempt: 2), receipt(.sent, at: 0),
    ])
    let fields = new.fields(changedFrom: old)
    #expect(
      Set(fields.keys) == [
        "status", "rank", "attempt", "vendor", "vendor_message_id", "error", "sent_at", "failed_at",
      ])
    #expect(fields["rank"] == .int32(50))
    var document: BSONDocument = ["_id": .uuid(Fixture.sendID.bytes)]
    document.append(contentsOf: old.fields(changedFrom: SendState(status: .pending)))
    #expect(try SendState(bson: document) == old)
    for (key, value) in fields { document[key] = value }
    #expect(try SendState(bson: document) == new)
    #expect(new.fields(changedFrom: new).isEmpty)
    #expect(throws: DocumentShapeError.self) { try SendState(bson: ["status": "LOST"]) }
  }
}
