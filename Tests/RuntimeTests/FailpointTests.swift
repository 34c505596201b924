import Testing

@testable import Runtime

@Suite struct FailpointTests {
  private func arming(_ text: String, process: String = "send-worker") throws(FailpointError) -> FailpointArming {
    try FailpointArming(["FAILPOINT": text], process: process)
  }

  @Test func everyPointHasANameOfItsOwnAndLiesInSomeProcess() {
    let names = Failpoint.allCases.map(\.name)
    #expect(Set(names).count == names.count)
    #expect(Failpoint.allCases.allSatisfy { !$0.processes.isEmpty && !$0.meaning.isEmpty })
    #expect(Set(Fault.allCases.map(\.name)).count == Fault.allCases.count)
  }

  @Test func severalPointsAreArmedWithConditions() throws {
    let armed = try arming("claim.committed:skip=17,tell.begin:p=0.5,send.answered")
    #expect(armed.triggers[.claimCommitted] == .init(skip: 17))
    #expect(armed.triggers[.tellBegin] == .init(probability: 0.5))
    #expect(armed.triggers[.sendAnswered] == .init())
    #expect(armed.triggers.count == 3)
  }

  @Test func nothingIsArmedUnlessAskedFor() throws {
    let idle = try FailpointArming([:], process: "send-worker")
    #expect(idle.triggers.isEmpty && idle.fault == nil)
    idle.reached(.claimCommitted)
  }

  @Test func aPointIsPassedAsOftenAsItIsSkipped() throws {
    let armed = try arming("claim.committed:skip=1000")
    for _ in 0..<1000 { armed.reached(.claimCommitted) }
  }

  @Test(arguments: [
    "claim.nowhere", "expand.committed", "claim.committed:skip=-1", "claim.committed:p=2", "claim.committed:often",
    "claim.committed:", "CLAIM.COMMITTED",
  ])
  func whatCannotBeArmedIsAnErrorThatNamesIt(text: String) {
    #expect { try arming(text) } throws: { "\($0)".contains(text.prefix(while: { $0 != ":" })) }
  }

  @Test func allProblemsAreNamedAtOnce() {
    #expect {
      try FailpointArming(["FAILPOINT": "a,b", "FAULT": "c", "CLOCK_SKEW_S": "soon"], process: "send-worker")
    } throws: { error in
      ["no a", "no b", "no c", "soon"].allSatisfy { "\(error)".contains($0) }
    }
  }

  @Test func theCatalogueOfAProcessListsItsOwnPoints() {
    let lines = FailpointArming.catalogue(of: "api-gateway").split(separator: "\n")
    #expect(lines.contains { $0.hasPrefix("accept.written\t") })
    #expect(!lines.contains { $0.hasPrefix("claim.") })
  }
}
