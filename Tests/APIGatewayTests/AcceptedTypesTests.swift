import Testing

@testable import APIGateway

@Suite struct AcceptedTypesTests {
  @Test(arguments: [
    [], ["*/*"], ["application/json"], ["APPLICATION/JSON"], ["text/html, application/*;q=0.1"],
    ["text/html", "application/json"], ["text/html, */*;q=0.8"], ["application/json;charset=utf-8"], ["nonsense"],
    ["/json, text/"], ["text/html;q=0.9,application/json ; q=0.5"],
  ])
  func takesJSON(accept: [String]) {
    #expect(AcceptedTypes(accept).allows("application/json"))
  }

  @Test(arguments: [
    ["text/html"], ["application/json;q=0"], ["application/*;q=0, */*"], ["application/xml, text/*"],
    ["*/*, application/json;q=0.0"],
  ])
  func doesNotTakeJSON(accept: [String]) {
    #expect(!AcceptedTypes(accept).allows("application/json"))
  }

  @Test func theClosestRangeDecides() {
    let accepted = AcceptedTypes(["application/*;q=0, application/problem+json, text/*"])
    #expect(accepted.allows("application/problem+json") && accepted.allows("text/csv"))
    #expect(!accepted.allows("application/json") && !accepted.allows("image/png"))
  }
}
