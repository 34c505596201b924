import BSON
import HTTP
import Runtime
import Synchronization
import Testing

@testable import APIGateway

/// What is remembered of a request under its `Idempotency-Key`, however the request ends.
@Suite struct IdempotencyGateTests {
  private static func run(
    _ harness: GatewayHarness, sealed: Bool = false,
    _ handler: @escaping @Sendable (APIRequest) async throws -> HTTPResponse
  ) async throws -> HTTPResponse {
    let http = try HTTPRequest(.post, "/api/v1/leads", body: Array("{}".utf8))
    let request = APIRequest(http, log: harness.gateway.log)
    let gate = harness.gateway.idempotencyGate(lease: .seconds(60))
    return try await gate.run("k\(sealed)", request, sealed: sealed, handler)
  }

  private static func cancelThisTask() { withUnsafeCurrentTask { $0?.cancel() } }

  @Test func aRequestThatIsCancelledAfterItsEffectIsRemembered() async throws {
    try await GatewayHarness.with { harness in
      let first = Task {
        try await Self.run(harness) { _ in
          Self.cancelThisTask()
          return HTTPResponse(status: 201, body: .bytes(Array("made".utf8)))
        }
      }
      #expect(try await first.value.status == 201)
      let again = try await Self.run(harness) { _ in HTTPResponse(status: 200) }
      #expect(again.status == 201 && again.bytes == Array("made".utf8))
      #expect(again.headers[IdempotencyGate.replayedHeader] == "true")
    }
  }

  @Test func aRequestThatIsCancelledAmidItsEffectIsGoneOnWithAtOnceAndUnderTheSameID() async throws {
    try await GatewayHarness.with { harness in
      let ids = Mutex<[ObjectID]>([])
      let first = Task {
        try await Self.run(harness) { request in
          ids.withLock { $0.append(request.effectID) }
          Self.cancelThisTask()
          try Task.checkCancellation()
          return HTTPResponse(status: 201)
        }
      }
      #expect(try await first.value.status == 503)
      let again = try await Self.run(harness) { request in
        ids.withLock { $0.append(request.effectID) }
        #expect(request.isRetry)
        return HTTPResponse(status: 200, body: .bytes([]))
      }
      #expect(again.status == 200 && again.headers[IdempotencyGate.replayedHeader] == nil)
      #expect(ids.withLock { $0.count == 2 && $0[0] == $0[1] })
    }
  }

  /// MongoDB goes away between the effect and the keeping of the answer.
  @Test func aSecretThatCouldNotBeKeptIsNotGivenOut() async throws {
    try await GatewayHarness.with { harness in
      for (isSealed, status) in [(false, 201), (true, 503)] {
        let other = try await GatewayHarness(database: harness.database)
        let answer = try await Self.run(other, sealed: isSealed) { _ in
          await other.store.mongo.close()
          return HTTPResponse(status: 201, body: .bytes(Array("secret".utf8)))
        }
        #expect(answer.status == status)
        #expect(answer.bytes?.contains("secret".utf8) == !isSealed)
        await other.close()
      }
    }
  }

  @Test func aRefusalFreesTheKeyUnlessAnEarlierAttemptMayHaveHadItsEffect() async throws {
    try await GatewayHarness.with { harness in
      let seen = Mutex<[(id: ObjectID, isRetry: Bool)]>([])
      for status in [400, 503, 409, 200] {
        let answer = try await Self.run(harness) { request in
          seen.withLock { $0.append((request.effectID, request.isRetry)) }
          return HTTPResponse(status: status, body: .bytes([]))
        }
        #expect(answer.status == status)
      }
      let attempts = seen.withLock { $0 }
      #expect(attempts.map(\.isRetry) == [false, false, true, true])
      #expect(attempts[0].id != attempts[1].id && Set(attempts[1...].map(\.id)).count == 1)
    }
  }
}
