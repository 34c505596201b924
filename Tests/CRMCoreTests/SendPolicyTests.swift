import CRMCore
import Testing

/// Every outcome × vendor's place × promise of keys × attempt × what was known before.
@Suite struct SendPolicyTests {
  private static let lifetime = Duration.seconds(100)
  private static let most: Int32 = 3

  private struct Case: CustomStringConvertible {
    var outcome: VendorOutcome
    var policy: SendPolicy
    var position: Int
    var route: SendRoute

    var keys: KeyPromise { policy.vendors[position].keys }
    var isLast: Bool { route.calls + 1 >= policy.maxAttempts }
    var decision: SendDecision { policy.decide(outcome, position: position, route) }
    var description: String { "\(outcome.label) at \(position) of \(policy.vendors), \(route)" }
  }

  private static let outcomes: [VendorOutcome] = [
    .accepted(vendorMessageID: "v"), .rejected(errorClass: "r", message: "m"),
    .notTaken(errorClass: "n", message: "m", retryAfter: nil),
    .notTaken(errorClass: "n", message: "m", retryAfter: .seconds(9)), .ambiguous(errorClass: "a", message: "m"),
  ]

  private static let every: [Case] = {
    var cases: [Case] = []
    let promises: [KeyPromise] = [.none, .honoured(lifetime)]
    for outcome in outcomes {
      for count in 1...3 {
        for position in 0..<count {
          for keys in promises {
            for calls in 0..<most {
              for age in [nil, .zero, lifetime - .seconds(1), lifetime, lifetime + .seconds(1)] as [Duration?] {
                for isResend in [false, true] {
                  var vendors = (0..<count).map { (name: "v\($0)", keys: KeyPromise.honoured(lifetime)) }
                  vendors[position].keys = keys
                  cases.append(
                    Case(
                      outcome: outcome, policy: SendPolicy(maxAttempts: most, vendors: vendors), position: position,
                      route: SendRoute(
                        vendor: "v\(position)", calls: calls, ambiguousFor: age, isResend: isResend)))
                }
              }
            }
          }
        }
      }
    }
    return cases
  }()

  @Test func whatTheVendorTookIsSent() {
    for test in Self.every where test.outcome.label == "accepted" {
      #expect(test.decision == .tell(.sent, vendorMessageID: "v", nil), "\(test)")
    }
  }

  @Test func anAmbiguousCallIsNeverFollowedByACallOfAnotherVendor() {
    for test in Self.every where test.outcome.label == "ambiguous" || test.route.ambiguousFor != nil {
      guard case .retry(let retry) = test.decision else { continue }
      #expect(retry.position == test.position, "\(test)")
      #expect(retry.isAmbiguous, "\(test)")
    }
  }

  @Test func anAmbiguousCallIsRepeatedOnlyUnderAKeyThatIsHonoured() {
    for test in Self.every where test.outcome.label == "ambiguous" {
      let holds = test.keys.covers(test.route.ambiguousFor ?? .zero)
      if holds, !test.isLast {
        #expect(
          test.decision
            == .retry(
              SendRetry(
                position: test.position, wait: .backoff(step: Int(test.route.calls), atLeast: .zero),
                isAmbiguous: true)), "\(test)")
      } else {
        #expect(
          test.decision == .tell(.unknown, vendorMessageID: nil, SendError(errorClass: "a", message: "m")), "\(test)")
      }
    }
  }

  @Test func aDefiniteFailureGoesToTheNextVendorAtOnceAndToTheFirstAgainAfterAWait() {
    for test in Self.every where test.outcome.label == "not_taken" && test.route.ambiguousFor == nil {
      if test.isLast {
        #expect(test.decision == .giveUp(SendError(errorClass: "n", message: "m")), "\(test)")
        continue
      }
      guard case .retry(let retry) = test.decision else {
        Issue.record("\(test): \(test.decision)")
        continue
      }
      let count = test.policy.vendors.count
      #expect(retry.position == (test.position + 1) % count && !retry.isAmbiguous, "\(test)")
      if test.position + 1 < count {
        #expect(retry.wait == .none, "\(test)")
      } else if case .notTaken(_, _, .some(let asked)) = test.outcome {
        #expect(retry.wait == .backoff(step: Int(test.route.calls) / count, atLeast: asked), "\(test)")
      }
    }
  }

  @Test func whatMayHaveBeenTakenOnceIsNeverToldAsFailedForWantOfAttempts() {
    for test in Self.every where test.outcome.label == "not_taken" && test.route.ambiguousFor != nil && test.isLast {
      #expect(
        test.decision == .tell(.unknown, vendorMessageID: nil, SendError(errorClass: "n", message: "m")), "\(test)")
    }
  }

  @Test func aRejectionIsFinalUnlessAnEarlierCallWithoutAKeyMayHaveBeenTaken() {
    for test in Self.every where test.outcome.label == "rejected" {
      let isOpen = test.route.ambiguousFor.map { !test.keys.covers($0) } ?? false
      #expect(
        test.decision
          == .tell(isOpen ? .unknown : .failed, vendorMessageID: nil, SendError(errorClass: "r", message: "m")),
        "\(test)")
    }
  }

  @Test func noSendIsCalledMoreOftenThanItMay() {
    for test in Self.every where test.isLast {
      if case .retry = test.decision { Issue.record("\(test): retried") }
    }
  }

  @Test func aCallMayBeRepeatedWithinTheKeysLifetimeOrBySomebodysDecision() {
    for test in Self.every {
      let destination = test.policy.destination(test.route)
      guard let age = test.route.ambiguousFor else {
        #expect(destination == .prefer(position: test.position), "\(test)")
        continue
      }
      if test.route.isResend || test.keys.covers(age) {
        #expect(destination == .only(position: test.position), "\(test)")
      } else if case .none(let error) = destination {
        #expect(error.errorClass == "key_expired", "\(test)")
      } else {
        Issue.record("\(test): \(destination)")
      }
    }
  }

  @Test func aVendorThatIsGoneIsReplacedOnlyWhenItCannotHaveTheMessage() {
    let policy = SendPolicy(maxAttempts: 3, vendors: [("v0", .honoured(Self.lifetime)), ("v1", .none)])
    #expect(policy.destination(SendRoute(vendor: "old", calls: 1)) == .prefer(position: 0))
    for isResend in [false, true] {
      let route = SendRoute(vendor: "old", calls: 1, ambiguousFor: .zero, isResend: isResend)
      guard case .none(let error) = policy.destination(route) else {
        Issue.record("called")
        continue
      }
      #expect(error.errorClass == "vendor_gone")
    }
  }
}
