import HTTP
import Testing

@testable import APIGateway

/// Without authentication, a page in the same machine's browser must not be able to do what its reader could.
@Suite struct LocalCallerTests {
  private let caller = LocalCaller(origins: ["http://localhost:3000"])

  private func objection(_ headers: HTTPHeaders) throws -> String? {
    caller.objection(to: try HTTPRequest(.post, "/api/v1/campaigns/1/run", headers: headers))
  }

  @Test(arguments: ["127.0.0.1:3000", "localhost:3000", "LOCALHOST", "[::1]:3000", "127.8.8.8"])
  func programsOfThisMachineAreAnswered(host: String) throws {
    #expect(try objection(["Host": host]) == nil)
  }

  @Test(arguments: [
    "evil.example", "evil.example:3000", "127.0.0.1.evil.example", "[::2]:3000", "[::1", "", "0.0.0.0:3000",
  ])
  func aNameThatOnlyResolvesHereIsNot(host: String) throws {
    #expect(try objection(["Host": host]) != nil)
  }

  @Test func pagesOfOtherOriginsAreNot() throws {
    for origin in ["https://evil.example", "null", "http://localhost:8080", "http://localhost:3000.evil.example", ""] {
      #expect(try objection(["Host": "127.0.0.1:3000", "Origin": origin]) != nil, "\(origin)")
    }
    #expect(try objection(["Host": "127.0.0.1:3000", "Origin": "http://localhost:3000"]) == nil, "allowed by CORS")
    #expect(try objection(["Host": "127.0.0.1:3111", "Origin": "http://127.0.0.1:3111"]) == nil, "its own page")
  }
}
