import JSON
import Testing

@testable import DevStack

@Suite("What the demo reports")
struct ReportTests {
  @Test func stagesOfReplicasAddUpAndTheLongestComesFirst() {
    var times = StageTimes()
    let exposition = """
      # TYPE minicrm_stage_seconds histogram
      minicrm_stage_seconds_bucket{process="send-worker",stage="claim",le="0.1"} 3
      minicrm_stage_seconds_sum{process="send-worker",stage="claim"} 1.5
      minicrm_stage_seconds_count{process="send-worker",stage="claim"} 3
      minicrm_stage_seconds_sum{process="send-worker",stage="call"} 2
      minicrm_stage_seconds_count{process="send-worker",stage="call"} 4
      """
    times.add(exposition: exposition)
    times.add(exposition: exposition)
    let slowest = times.slowest(1)
    #expect(slowest.map(\.stage) == ["call"])
    #expect(slowest.first?.seconds == 4)
    #expect(slowest.first?.meanMilliseconds == 500)
    #expect(times.slowest(9).map(\.stage) == ["call", "claim"])
  }

  @Test func aLeadInTwoStatesOrInNoneBreaksTheConservationLaw() throws {
    let whole = try #require(CampaignProgress(["audience": 10, "pending": 3, "sent": 4, "delivered": 3]))
    #expect(whole.addsUp)
    #expect(whole.inFlight == 3)
    #expect(try #require(CampaignProgress(["audience": 10, "sent": 11])).addsUp == false)
    #expect(try #require(CampaignProgress(["audience": 10, "sent": 9])).addsUp == false)
    #expect(CampaignProgress(["status": "RUNNING"]) == nil)
  }

  @Test func aFailureSeenAtEveryPollIsToldOnce() {
    var checks = Checks()
    for _ in 0..<3 { checks.expect("audience", 1_234, equals: 1_235, "the preview") }
    checks.expect("audience", 1, equals: 1, "the preview")
    #expect(checks.failures == ["audience is 1,234, the preview says 1,235"])
    #expect(checks.made == 4)
  }

  @Test(arguments: [
    (0.0, 1, "0.0"), (12.345, 1, "12.3"), (1234.06, 2, "1,234.06"), (0.999, 2, "1.00"), (7.5, 0, "8"),
  ])
  func numbersAreWrittenForPeople(number: Double, decimals: Int, text: String) {
    #expect(fixed(number, decimals) == text)
  }
}
