import Testing

@testable import DevStack

@Suite struct ChaosTests {
  private func draws(_ seed: UInt64, _ label: String) -> [UInt64] {
    var random = SeededRandom(seed: seed, label)
    return (0..<8).map { _ in random.next() }
  }

  @Test func aPlanIsTheSameForTheSameSeedAndAnotherForAnother() {
    #expect(draws(7, "arm/round 1/send-worker-1/3") == draws(7, "arm/round 1/send-worker-1/3"))
    #expect(draws(7, "events") != draws(8, "events"))
    #expect(draws(7, "events") != draws(7, "arm"))
    #expect(Set(draws(0, "")).count == 8)
  }

  @Test func optionsAreRead() throws {
    let options = try ChaosOptions([
      "--seed", "42", "--rounds", "9", "--scenario", "vendor-out", "--scenario", "poison", "--leads", "5000",
      "--points",
      "claim.committed,tell.begin", "--storm", "12", "--results", "somewhere",
    ])
    #expect(options.seed == 42 && options.rounds == 9 && options.leads == 5000 && options.stormSeconds == 12)
    #expect(options.scenarios == ["vendor-out", "poison"] && options.points == ["claim.committed", "tell.begin"])
    #expect(options.results == "somewhere" && options.mode == .scenarios)
    #expect(try ChaosOptions(["--selftest"]).mode == .selftest)
  }

  @Test(arguments: [
    ["--seed", "-1"], ["--rounds", "0"], ["--scenario", "rain"], ["--seed"], ["--frobnicate", "1"],
    ["--leads", "many"],
  ])
  func whatCannotBePlayedIsAnErrorThatNamesIt(arguments: [String]) {
    #expect { try ChaosOptions(arguments) } throws: {
      "\($0)".contains(arguments[0].contains("scen") ? "rain" : arguments[0])
    }
  }

  @Test func everyScenarioHasANameOfItsOwn() {
    let names = ChaosScenario.all.map(\.name)
    #expect(Set(names).count == names.count && names.contains("storm"))
  }

  @Test func findingsCountByInvariantAndKeepTheFirst() {
    let findings = Findings()
    for number in 0..<250 { findings.violated("7: \(number)") }
    findings.violated("2: twice")
    #expect(findings.count(of: "7") == 250 && findings.count(of: "2") == 1 && findings.count(of: "1") == 0)
    #expect(findings.violations.count == 101 && findings.violations.last == "and 151 more")
  }
}
