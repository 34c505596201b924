import CRMCore
import Testing

@testable import SendWorker

@Suite struct SendPlanTests {
  private func sends(_ count: Int, at position: Int, tied: Bool = false) -> [PlannedSend<Int>] {
    (0..<count).map { PlannedSend(item: $0, route: SendRoute(), position: position, isTied: tied) }
  }

  @Test func everySendGoesToItsOwnVendorWhileAllAdmit() {
    let plan = SendPlan.assign(sends(3, at: 0) + sends(2, at: 1), vendors: 2) { _, count in (count, .zero) }
    #expect(plan.shares.map(\.count) == [3, 2])
    #expect(plan.refused.isEmpty)
  }

  @Test func whatABreakerRefusesGoesToTheNextVendorInOrder() {
    let plan = SendPlan.assign(sends(5, at: 1), vendors: 3) { position, count in
      position == 1 ? (2, .seconds(4)) : (count, .zero)
    }
    #expect(plan.shares.map(\.count) == [0, 2, 3])
    #expect(plan.refused.isEmpty)
  }

  @Test func aSendThatIsTiedToItsVendorWaitsForIt() {
    let plan = SendPlan.assign(sends(4, at: 0, tied: true) + sends(1, at: 0), vendors: 2) { position, count in
      position == 0 ? (0, .seconds(4)) : (count, .zero)
    }
    #expect(plan.shares.map(\.count) == [0, 1])
    #expect(plan.refused.count == 4)
    #expect(plan.refused.allSatisfy { $0.send.isTied && $0.retryAfter == .seconds(4) })
  }

  @Test func whatNoVendorAdmitsWaitsForTheOneThatIsBackFirst() {
    let plan = SendPlan.assign(sends(2, at: 0), vendors: 2) { position, _ in (0, .seconds(position == 0 ? 5 : 1)) }
    #expect(plan.refused.map(\.retryAfter) == [.seconds(1), .seconds(1)])
  }

  @Test func everySendIsInOneSharePlanOrRefusedWhateverIsAdmitted() {
    for vendors in 1...3 {
      for admitted in 0...4 {
        for position in 0..<vendors {
          let all = sends(3, at: position) + sends(3, at: position, tied: true)
          let plan = SendPlan.assign(all, vendors: vendors) { _, count in (min(admitted, count), .seconds(1)) }
          #expect(plan.shares.joined().count + plan.refused.count == 6)
          for (place, share) in plan.shares.enumerated() where place != position {
            #expect(share.filter(\.isTied).isEmpty)
          }
        }
      }
    }
  }
}
