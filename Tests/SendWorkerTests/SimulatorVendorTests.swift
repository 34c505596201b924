import CRMCore
import CivilTime
import HTTP
import Testing

@testable import SendWorker

@Suite struct SimulatorVendorTests {
  private func response(_ status: Int, _ body: String = "{}", retryAfter: String? = nil) -> HTTPClientResponse {
    HTTPClientResponse(
      status: status, headers: retryAfter.map { ["Retry-After": $0] } ?? [:], body: Array(body.utf8))
  }

  private func kind(_ status: Int) -> String { SimulatorVendor.outcome(response(status)).label }

  @Test func everyStatusHasOneMeaning() {
    for status in 200..<300 { #expect(kind(status) == "ambiguous", "\(status) without a message id") }
    for status in 300..<400 { #expect(kind(status) == "ambiguous") }
    let definite: Set = [401, 402, 403, 404, 405, 408, 425, 429]
    for status in 400..<500 { #expect(kind(status) == (definite.contains(status) ? "not_taken" : "rejected")) }
    for status in 500..<600 { #expect(kind(status) == "ambiguous") }
  }

  @Test func anAcceptedMessageHasTheVendorsId() {
    #expect(
      SimulatorVendor.outcome(response(202, #"{"vendor_message_id":"v1"}"#)) == .accepted(vendorMessageID: "v1"))
  }

  @Test func aVendorMayAskForAnHoursPatienceAtMost() {
    func patience(_ text: String) -> Duration? {
      guard case .notTaken(_, _, let wait) = SimulatorVendor.outcome(response(429, retryAfter: text)) else {
        return nil
      }
      return wait
    }
    #expect(patience("7") == .seconds(7))
    #expect(patience("86400") == .seconds(3600))
    #expect(patience("-1") == .zero)
    #expect(patience("tomorrow") == nil)
  }

  @Test func answersToQuestionsAreRead() {
    let body = """
      {"messages":[{"vendor_message_id":"v1","status":"QUEUED_BY_VENDOR","updated_at":"2026-03-31T10:30:00.000Z"},
      {"vendor_message_id":"v2","status":"FAILED","error":{"class":"c","message":"m"},
      "updated_at":"2026-03-31T10:30:01.000Z"},{"status":"DELIVERED"}]}
      """
    let first = Timestamp(rfc3339: "2026-03-31T10:30:00Z")!
    #expect(
      SimulatorVendor.answer(response(200, body))
        == .messages([
          VendorMessage(vendorMessageID: "v1", status: .sent, at: first),
          VendorMessage(
            vendorMessageID: "v2", status: .failed, error: SendError(errorClass: "c", message: "m"),
            at: first.advanced(by: .seconds(1))),
        ]))
    #expect(SimulatorVendor.answer(response(200, #"{"messages":[]}"#)) == .messages([]))
    #expect(SimulatorVendor.answer(response(200, "not json")) == .unavailable)
    #expect(SimulatorVendor.answer(response(503)) == .unavailable)
  }
}
