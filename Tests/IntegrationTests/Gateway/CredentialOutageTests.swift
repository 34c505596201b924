import CRMCore
import Foundation
import HTTP
import Runtime
import Testing

@testable import APIGateway

/// While nobody can look a credential up, who brings it is told so soon, and is let in as soon as somebody can.
@Suite(.serialized) struct CredentialOutageTests {
  @Test func aLookUpThatDoesNotComeBackIsGivenUpAndTheNextOneIsAnswered() async throws {
    try await GatewayHarness.with(["MONGODB_POOL_SIZE": "1"]) { harness in
      let key = try await harness.key(.viewer)
      let (isTaken, gate) = (Latch<Bool>(), DispatchSemaphore(value: 0))
      let holder = Task {
        try await harness.store.mongo.withConnection { _ in
          isTaken.set(true)
          _ = gate.wait(timeout: .now() + 30)
        }
      }
      _ = await isTaken.wait()
      try await withThrowingTaskGroup(of: GatewayHarness.Answer.self) { group in
        // Neither needs the database for anything else.
        for path in ["/api/auth/me", "/api/v1/delivery/status", "/api/auth/me"] {
          group.addTask { try await harness.request(.get, path, as: key) }
        }
        for try await answer in group {
          #expect(answer.status == 503 && answer.problem == "overloaded", "\(answer.text)")
          #expect(answer.headers["Retry-After"] != nil)
        }
      }
      gate.signal()
      try await holder.value
      #expect(try await harness.request(.get, "/api/auth/me", as: key).status == 200)
    }
  }
}
