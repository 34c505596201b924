import Testing

@testable import CSV

@Suite struct CSVListTests {
  @Test func elementsStandBetweenSemicolons() {
    #expect(CSVList.elements("a;b c; d ;;") == ["a", "b c", "d"])
    #expect(CSVList.elements("") == [] && CSVList.elements(" ; ") == [])
    #expect(CSVList.joined(["a", "b c"]) == "a;b c")
  }

  @Test(arguments: [[], ["a"], ["a;b", "c"], ["a\\", "b"], ["\\;", ";\\"], ["\\x", "é;"], [";", "\\"]])
  func whatIsJoinedIsDividedAgain(elements: [String]) {
    #expect(CSVList.elements(CSVList.joined(elements)) == elements)
  }

  @Test func abackslashBeforeSomethingElseIsOne() {
    #expect(CSVList.elements("C:\\x;y\\") == ["C:\\x", "y\\"])
  }
}
