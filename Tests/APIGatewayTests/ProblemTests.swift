import Mongo
import Testing

@testable import APIGateway

@Suite struct ProblemTests {
  @Test(arguments: [
    (MongoError.Kind.unavailable, 503), (.writeConcern, 503), (.timeout, 503), (.exhausted, 503), (.writeConflict, 503),
  ]) func aDatabaseThatCannotNowIsNobodysFaultAndMayBeAskedAgain(kind: MongoError.Kind, status: Int) throws {
    let problem = try #require(Problem(describing: MongoError(kind: kind, message: "of the inside")))
    let response = problem.response(to: nil)
    #expect(response.status == status && response.headers["Retry-After"] != nil)
    #expect(response.bytes.map { String(decoding: $0, as: UTF8.self).contains("of the inside") } == false)
  }
}
