import CRMCore
import CivilTime
import Testing

@Suite struct InquiryPolicyTests {
  private static let deadline = Duration.seconds(900)
  private let policy = InquiryPolicy(deadline: deadline)

  private static func message(_ status: SendStatus) -> VendorMessage {
    VendorMessage(vendorMessageID: "v-\(status.rawValue)", status: status, at: Fixture.now)
  }

  private static let answers: [VendorAnswer] =
    DeliveryReceipt.statuses.map { .messages([message($0)]) } + [.messages([]), .unavailable, .cannotBeAsked]

  private static let every: [(VendorAnswer, Inquiry)] = {
    var cases: [(VendorAnswer, Inquiry)] = []
    for answer in answers {
      for status in [SendStatus.unknown, .sent] {
        for age in [.zero, deadline - .seconds(1), deadline, deadline + .seconds(1)] {
          for asked in [1, InquiryPolicy.maxAsked - 1, InquiryPolicy.maxAsked, InquiryPolicy.maxAsked + 1] {
            for resends in [0, InquiryPolicy.maxResends - 1, InquiryPolicy.maxResends] {
              for campaign in DeliveryPolicy.allCases {
                cases.append(
                  (
                    answer,
                    Inquiry(status: status, age: age, asked: asked, resends: resends, policy: campaign)
                  ))
              }
            }
          }
        }
      }
    }
    return cases
  }()

  private static func isNews(_ answer: VendorAnswer, _ inquiry: Inquiry) -> Bool {
    guard case .messages(let messages) = answer else { return false }
    return messages.contains { $0.status > inquiry.status }
  }

  @Test func whatTheVendorHasIsToldWheneverItSaysMoreThanIsKnown() {
    for (answer, inquiry) in Self.every where Self.isNews(answer, inquiry) {
      guard case .messages(let messages) = answer else { continue }
      #expect(policy.decide(answer, inquiry) == .tell(messages), "\(answer) \(inquiry)")
    }
  }

  @Test func onlyAnUnresolvedSendOfACampaignThatWantsItIsSentAgainAndOnlyAfterTheDeadline() {
    for (answer, inquiry) in Self.every {
      let expected =
        !Self.isNews(answer, inquiry) && inquiry.status == .unknown && inquiry.policy == .atLeastOnce
        && inquiry.age >= Self.deadline && inquiry.resends < InquiryPolicy.maxResends
      #expect((policy.decide(answer, inquiry) == .resend) == expected, "\(answer) \(inquiry)")
    }
  }

  @Test func questionsEnd() {
    for (answer, inquiry) in Self.every where !Self.isNews(answer, inquiry) {
      let waits =
        inquiry.status == .unknown && inquiry.policy == .atLeastOnce && inquiry.resends < InquiryPolicy.maxResends
      let ends = !waits && (inquiry.asked >= InquiryPolicy.maxAsked || answer == .cannotBeAsked)
      #expect((policy.decide(answer, inquiry) == .stop) == ends, "\(answer) \(inquiry)")
    }
  }

  @Test func aMessageThatTheVendorStillWorksOnResolvesAnUnknownAndTellsNothingOfASent() {
    let sent = VendorAnswer.messages([Self.message(.sent)])
    let unknown = Inquiry(status: .unknown, age: .zero, asked: 1, policy: .atMostOnce)
    #expect(policy.decide(sent, unknown) == .tell([Self.message(.sent)]))
    let old = Inquiry(status: .sent, age: .zero, asked: 1, policy: .atMostOnce)
    #expect(policy.decide(sent, old) == .askAgain)
  }
}
