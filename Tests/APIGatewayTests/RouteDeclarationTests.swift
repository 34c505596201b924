import CRMCore
import Testing

@testable import APIGateway

@Suite struct AccessTests {
  @Test func aScopeIsPassedByThoseWhoHaveIt() {
    for scope in Scope.allCases {
      for role in Role.allCases {
        #expect(Access.scope(scope).allows(role.scopes) == role.scopes.contains(scope))
      }
      #expect(!Access.scope(scope).allows([]))
      #expect(Access.scope(scope).allows([scope]))
    }
  }

  @Test func eachRoleCanDoWhatTheOneBelowItCanAndMore() {
    let ladder: [Role] = [.viewer, .analyst, .marketer, .admin]
    for (lower, higher) in zip(ladder, ladder.dropFirst()) {
      #expect(lower.scopes.isStrictSubset(of: higher.scopes), "\(lower) below \(higher)")
    }
  }

  @Test func viewersChangeNothing() {
    for scope in Role.viewer.scopes { #expect(scope.rawValue.hasSuffix(":read")) }
  }
}
